//! A minimal balancer: one request per connection, sent to the node that the cookie `node` names, or to the next
//! one if that does not answer. It does not change the data that pass, so a stream arrives as the node writes it.

use std::net::SocketAddr;

use sse_core::{Shutdown, listen::Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Maximum length of a request head, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// A node behind the balancer.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
}

/// Serves until the shutdown, and then until the nodes have ended all open connections.
pub(crate) async fn serve(listener: TcpListener, nodes: Vec<Node>, shutdown: Shutdown) {
    // Pauses while no file descriptor is free, instead of failing again and again.
    let mut listener = Listener::from(listener);
    let mut connections = JoinSet::new();
    let mut begun = shutdown.clone();
    loop {
        tokio::select! {
            () = &mut begun => break,
            (client, _) = listener.accept() => drop(connections.spawn(pass(client, nodes.clone()))),
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    shutdown.serve(async { while connections.join_next().await.is_some() {} }).await;
}

/// Forwards one request, and the response.
async fn pass(mut client: TcpStream, nodes: Vec<Node>) {
    let Some((head, rest)) = read_head(&mut client).await else { return };
    let wanted = nodes.iter().position(|node| wants(&head, &node.name)).unwrap_or(0);
    let (before, after) = nodes.split_at(wanted);
    for node in after.iter().chain(before) {
        let Ok(mut server) = TcpStream::connect(node.address).await else { continue };
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        if server.write_all(&for_one_request(&head)).await.is_ok() && server.write_all(&rest).await.is_ok() {
            // The first side to end the connection ends it for both.
            drop(copy_bidirectional(&mut client, &mut server).await);
        }
        return;
    }
    drop(
        client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await,
    );
}

/// Reads the head of a request with the blank line; also returns the bytes after it.
async fn read_head(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if bytes.len() > MAX_HEAD || client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Whether the cookie names this node.
fn wants(head: &str, name: &str) -> bool {
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let cookies = headers.filter(|(header, _)| header.eq_ignore_ascii_case("cookie"));
    let mut pairs =
        cookies.flat_map(|(_, value)| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(cookie, value)| cookie == "node" && value == name)
}

/// Adds to the head that the connection ends after the response, so that the next request may go to another node.
fn for_one_request(head: &str) -> Vec<u8> {
    let is_kept = |line: &&str| {
        !line.split_once(':').is_some_and(|(header, _)| header.eq_ignore_ascii_case("connection"))
    };
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").filter(is_kept).collect();
    lines.push("connection: close\r\n\r\n");
    lines.join("\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{for_one_request, wants};

    #[test]
    fn the_cookie_names_the_node() {
        let head = "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b; node=warp\r\n\r\n";
        assert!(wants(head, "warp") && !wants(head, "axum") && !wants(head, "b"));
        assert!(!wants("GET /?node=warp HTTP/1.1\r\n\r\n", "warp"));
    }

    #[test]
    fn the_connection_ends_with_the_answer() {
        let head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nAccept: y\r\n\r\n";
        let expected = "GET / HTTP/1.1\r\nHost: x\r\nAccept: y\r\nconnection: close\r\n\r\n";
        assert_eq!(for_one_request(head), expected.as_bytes());
    }
}
