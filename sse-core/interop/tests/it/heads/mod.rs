//! The client is not stricter than a browser: unusual heads, read by Chromium, Node, curl and our client side by
//! side. The table in `sse-core/src/docs/client.md` shows their behaviour.

mod peers;
mod vectors;

use std::{net::SocketAddr, path::Path, sync::Arc};

use self::vectors::Vector;
use sse_testkit::{Failed, Outcome};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const PAGE: &str = include_str!("../../../../src/docs/client.md");

/// Heads that Chromium reads and our client does not, each with its reason on the page.
const STRICTER: [&str; 5] = [
    "`Content-Encoding: br`",
    "`Content-Encoding: zstd`",
    "two spaces before the status",
    "`Content-Length: +13`",
    "a length that is not a number",
];

/// Heads that break off, and may arrive whole at the next attempt.
const TRANSIENT: [&str; 1] = ["the head breaks off"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_heads() -> Outcome {
    let heads = Arc::new(vectors::all());
    let count = heads.len();
    let server = serve(Arc::clone(&heads)).await?;
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .ok_or_else(|| Failed::new("no folder of builds"))?
        .join("tools");
    let chromium = peers::chromium(server, count).await?;
    let (fetch, eventsource) = peers::node(server, count, &tools).await?;
    let curl = peers::curl(server, count).await?;
    let ours = peers::ours(server, count).await?;
    let mut table = String::new();
    let mut stricter = Vec::new();
    for (at, head) in heads.iter().enumerate() {
        let columns = [&chromium, &fetch, &eventsource, &curl, &ours].map(|seen| seen[at].as_str());
        table.push_str(&format!("| {} | {} |\n", head.name, columns.join(" | ")));
        if chromium[at] == "reads" && ours[at] != "reads" {
            stricter.push(head.name);
        }
        // The client does not retry for ever a head that it can never read.
        assert!(ours[at] != "retries" || TRANSIENT.contains(&head.name), "{}: {columns:?}", head.name);
    }
    assert_eq!(stricter, STRICTER, "the client is stricter than Chromium with these\n{table}");
    // The table is the last part of the page.
    let is_written = PAGE.ends_with(&format!("|\n{table}"));
    assert!(
        is_written,
        "the table in sse-core/src/docs/client.md is not what was seen; it should be\n{table}"
    );
    Ok(())
}

/// Answers `/3` with the third head, and every other path with a page.
async fn serve(heads: Arc<Vec<Vector>>) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let heads = Arc::clone(&heads);
            // A client that disconnects has read enough.
            tokio::spawn(async move { answer(socket, &heads).await.ok() });
        }
    });
    Ok(address)
}

async fn answer(mut socket: TcpStream, heads: &[Vector]) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let path = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let at = std::str::from_utf8(path).ok().and_then(|path| path.strip_prefix('/')?.parse::<usize>().ok());
    let page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<body></body>";
    socket.write_all(at.and_then(|at| heads.get(at)).map_or(page, |head| &head.response)).await?;
    socket.shutdown().await?;
    // Closing with unread bytes resets the connection, and then the other side may lose the response.
    while socket.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}
