use std::{io, net::SocketAddr, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted: when a server comes back, all its readers do at once.
const BACKLOG: i32 = 4_096;

/// How long written bytes may stay without an answer, as a part of the keep-alive interval: with the keep-alive's own
/// interval it makes the 2.5 intervals within which a dead peer is noticed.
const UNANSWERED: f64 = 1.4;

/// A listener set up for event streams: without Nagle's delay, with a long backlog, and, on Linux, with a time limit on
/// peers that do not answer, which every accepted connection inherits.
///
/// Give it the keep-alive interval of the streams. On Linux a connection whose peer is dead, or has read nothing for
/// 1.4 intervals, is closed by the kernel (`TCP_USER_TIMEOUT`); a body cannot do that itself, because a server does not
/// ask it for anything while the peer does not read. Must be called within a Tokio runtime.
///
/// # Errors
/// An [`io::Error`](std::io::Error) of the operating system, such as an address in use.
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let listener = sse_core::listen(([127, 0, 0, 1], 0), Duration::from_secs(15))?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok(()) }
/// ```
pub fn listen(addr: impl Into<SocketAddr>, keep_alive: Duration) -> io::Result<tokio::net::TcpListener> {
    let addr = addr.into();
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(keep_alive.mul_f64(UNANSWERED)))?;
    #[cfg(not(target_os = "linux"))]
    let _ = keep_alive;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    tokio::net::TcpListener::from_std(socket.into())
}
