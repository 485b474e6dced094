use std::{
    net::{TcpListener, UdpSocket},
    sync::{Mutex, PoisonError},
};

/// Below the range from which systems take the ports of outgoing connections.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// The address at which a port is reserved; no server listens there.
const RESERVED_AT: &str = "127.77.0.1";

/// Returns a port on which no other test of this machine starts a server while this process runs.
///
/// For programs that cannot choose a port themselves, or not report it. A port that was only free a moment ago is not
/// enough: another test, or an outgoing connection, may take it before the program does.
///
/// # Panics
/// If 1,000 random ports are all in use.
#[must_use]
pub fn free_port() -> u16 {
    static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    for _ in 0..1_000 {
        let port = fastrand::u16(PORTS);
        let Ok(reservation) = UdpSocket::bind((RESERVED_AT, port)) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(reservation);
            return port;
        }
    }
    panic!("1,000 ports were all in use");
}
