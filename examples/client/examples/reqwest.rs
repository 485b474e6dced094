//! The client over the application's existing HTTP client: reqwest, through the trait `Transport`.
//!
//! ```sh
//! cargo run -p example-client --example reqwest -- http://127.0.0.1:3000/events?topic=metrics.cpu
//! ```

use std::{error::Error, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{Request, Response};
use sse_core::{EventSource, client::Transport};

/// Sends the client's requests with reqwest.
struct Reqwest(reqwest::Client);

impl Reqwest {
    /// The client follows redirects itself, and streams are endless, so reqwest must neither redirect nor time out.
    fn new() -> reqwest::Result<Self> {
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().map(Self)
    }
}

impl Transport for Reqwest {
    type Body = Pin<Box<dyn Stream<Item = Result<Bytes, reqwest::Error>> + Send>>;
    type Error = reqwest::Error;

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Self::Body>, reqwest::Error> {
        let response = self.0.execute(request.try_into()?).await?;
        let mut answer = Response::new(());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        Ok(answer.map(|()| response.bytes_stream().boxed()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give a URL")?;
    let mut source = EventSource::get(url).transport(Reqwest::new()?).connect()?;
    while let Some(message) = source.next().await {
        println!("{}", message?.data());
    }
    Ok(())
}

#[tokio::test]
async fn reqwest_reconnects_and_resumes_like_the_default() {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/events", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let end = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned();
        for answer in
            [format!("{head}retry: 1\nid: 1\ndata: a\n\n"), format!("{head}id: 2\ndata: b\n\n"), end]
        {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.expect("a request");
            requests.push(String::from_utf8_lossy(&request[..length]).to_lowercase());
            socket.write_all(answer.as_bytes()).await.expect("sent");
        }
        requests
    });
    let source = EventSource::get(url).transport(Reqwest::new().expect("a client")).connect().expect("valid");
    let texts: Vec<_> = source.map(|message| message.expect("a message").into_data()).collect().await;
    assert_eq!(texts, ["a", "b"]);
    let requests = server.await.expect("served");
    assert!(!requests[0].contains("last-event-id"));
    assert!(requests[1].contains("last-event-id: 1\r\n") && requests[2].contains("last-event-id: 2\r\n"));
}
