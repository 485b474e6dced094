//! The wire that tests can cut, between a real client and a real connection.
#![cfg(all(feature = "test", feature = "client"))]

use std::{net::SocketAddr, time::Duration};

use futures_util::StreamExt;
use sse_core::{EventSource, client::Backoff, test::Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const SECOND: Duration = Duration::from_secs(1);

/// A server of numbered events that resume after `Last-Event-ID`, one every 20 ms.
async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(peer.read_u8().await?);
                }
                let request = String::from_utf8_lossy(&request).to_lowercase();
                let last = request.split("last-event-id: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                let first = last.map_or(0, |last| last.parse::<u64>().expect("an id of ours") + 1);
                peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\nretry: 500\n")
                    .await?;
                for number in first.. {
                    peer.write_all(format!("data: {number}\nid: {number}\n\n").as_bytes()).await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                std::io::Result::Ok(())
            });
        }
    });
    addr
}

fn connect(proxy: &Proxy) -> EventSource {
    let backoff = Backoff::default().min(Duration::from_millis(10)).max(Duration::from_millis(20));
    EventSource::get(format!("http://{}/", proxy.addr()))
        .backoff(backoff)
        .idle_timeout(Duration::from_millis(300))
        .connect()
        .unwrap()
}

async fn expect(source: &mut EventSource, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let message = timeout(10 * SECOND, source.next()).await.expect("it comes").unwrap().unwrap();
        assert_eq!(message.data(), number.to_string());
    }
}

#[tokio::test]
async fn a_cut_wire_costs_a_reconnect_and_nothing_else() {
    let proxy = Proxy::start(serve().await).await.unwrap();
    let mut source = connect(&proxy);
    expect(&mut source, 0..5).await;
    assert_eq!(proxy.connections(), 1);
    proxy.cut();
    expect(&mut source, 5..10).await;
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn an_event_that_is_cut_in_two_is_told_once_and_whole() {
    let proxy = Proxy::start(serve().await).await.unwrap();
    // The head, the first line, some events and half of another.
    proxy.cut_after(200);
    let mut source = connect(&proxy);
    expect(&mut source, 0..12).await;
    let connections = proxy.connections();
    assert!(connections > 1, "{connections}");
    proxy.heal();
    proxy.cut();
    expect(&mut source, 12..60).await;
    assert!(proxy.connections() <= connections + 2, "{} after {connections}", proxy.connections());
}

#[tokio::test]
async fn a_held_wire_is_silent_and_closes_nothing() {
    let proxy = Proxy::start(serve().await).await.unwrap();
    let mut source = connect(&proxy);
    expect(&mut source, 0..3).await;
    proxy.hold();
    // The client gives up the silent connection, and the next one is silent too.
    let noticed = async {
        while proxy.connections() == 1 {
            let told = timeout(Duration::from_millis(10), source.next()).await;
            assert!(told.is_err(), "{told:?}");
        }
    };
    timeout(10 * SECOND, noticed).await.expect("noticed");
    proxy.heal();
    expect(&mut source, 3..6).await;
}

#[tokio::test]
async fn it_ends_with_the_value() {
    let proxy = Proxy::start(serve().await).await.unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut seen = [0; 64];
    assert!(client.read(&mut seen).await.unwrap() > 0);
    let addr = proxy.addr();
    drop(proxy);
    let rest = async { while matches!(client.read(&mut seen).await, Ok(1..)) {} };
    timeout(10 * SECOND, rest).await.expect("closed");
    let refused = async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    timeout(10 * SECOND, refused).await.expect("no longer listening");
}
