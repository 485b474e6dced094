//! The kernel's part for a listener that is set up for streams: vanished peers, and stalled peers.
#![cfg(target_os = "linux")]

use std::{net::SocketAddr, time::Duration};

use socket2::{SockFilter, SockRef};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

/// The interval of the keep-alives that the server of these tests writes.
const INTERVAL: Duration = Duration::from_millis(400);

/// What a loaded machine may add; without the limit of `listen` the kernel would take minutes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Accepts one connection and writes keep-alives to it until that fails, as a response body does; returns how long
/// that took.
async fn serve(listener: tokio::net::TcpListener, keep_alive: Vec<u8>) -> Duration {
    let (mut peer, _) = listener.accept().await.expect("accepted");
    let began_at = Instant::now();
    while peer.write_all(&keep_alive).await.is_ok() {
        tokio::time::sleep(INTERVAL).await;
    }
    began_at.elapsed()
}

fn listener() -> (tokio::net::TcpListener, SocketAddr) {
    let listener = sse_core::listen(([127, 0, 0, 1], 0), INTERVAL).expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Drops all data to the socket from now on, so that it answers nothing: the peer has vanished without an error.
fn vanish(peer: &TcpStream) {
    // The filter's one instruction is "keep 0 bytes of every segment".
    let drop_all = SockFilter::new(0x06, 0, 0, 0);
    SockRef::from(peer).attach_filter(&[drop_all]).expect("a filter");
}

#[tokio::test]
async fn g12_a_vanished_peer_is_noticed_in_time() {
    let (listener, address) = listener();
    let serving = tokio::spawn(serve(listener, b"retry: 2000\n".to_vec()));
    let mut client = TcpStream::connect(address).await.expect("connected");
    let mut first = [0; 12];
    client.read_exact(&mut first).await.expect("a first keep-alive");
    vanish(&client);
    let noticed = timeout(PATIENCE, serving).await.expect("noticed in time").expect("served");
    // The first write and its answer came before; the keep-alive that detects it is written after the kernel has
    // given up.
    assert!(noticed >= INTERVAL, "{noticed:?}");
    assert!(noticed < 5 * INTERVAL, "{noticed:?}: not within 2.5 intervals and what a busy machine adds");
}

#[tokio::test]
async fn g12_a_peer_that_lives_is_kept() {
    let (listener, address) = listener();
    let serving = tokio::spawn(serve(listener, b"retry: 2000\n".to_vec()));
    let client = TcpStream::connect(address).await.expect("connected");
    assert!(timeout(8 * INTERVAL, serving).await.is_err(), "the peer's kernel answers, so it is kept");
    drop(client);
}

#[tokio::test]
async fn rule_19_a_peer_that_stopped_reading_loses_its_connection() {
    let (listener, address) = listener();
    // More at once than the buffers between the two hold.
    let serving = tokio::spawn(serve(listener, vec![b'\n'; 32 << 20]));
    let client = TcpStream::connect(address).await.expect("connected");
    let ended = timeout(PATIENCE, serving).await.expect("ended in time").expect("served");
    assert!(ended >= INTERVAL.mul_f64(1.4), "{ended:?}");
    drop(client);
}
