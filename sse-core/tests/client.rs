//! The client over real sockets, where its own promises begin: lazy, cancelled by drop, at-least-once, interrupted.

#![cfg(feature = "client")]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use sse_core::{Attempts, Backoff, ClientEvent, Disconnect, EventSource, HandlingError, Verdict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const OPEN: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const LIMIT: Duration = Duration::from_secs(20);

/// Answers one request after the other with the bytes of a script; the last one is held open.
struct Server {
    url: String,
    /// Each request's head, in lower case.
    requests: mpsc::UnboundedReceiver<String>,
    /// Says so when the client has left a connection that was held open.
    left: mpsc::UnboundedReceiver<()>,
}

impl Server {
    async fn start(script: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/events", listener.local_addr().expect("an address"));
        let (asked, requests) = mpsc::unbounded_channel();
        let (leaves, left) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let last = script.len() - 1;
            for (at, answer) in script.into_iter().enumerate() {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                // The receiver may be gone: the test has seen enough.
                let _ = asked.send(head(&mut socket).await);
                socket.write_all(&answer).await.expect("sent");
                if at == last {
                    let _ = socket.read(&mut [0]).await;
                    let _ = leaves.send(());
                }
            }
        });
        Self { url, requests, left }
    }

    async fn script(answers: &[&str]) -> Self {
        Self::start(answers.iter().map(|answer| answer.as_bytes().to_vec()).collect()).await
    }

    fn source(&self) -> sse_core::EventSourceBuilder {
        EventSource::get(&self.url).backoff(Backoff::default().min(Duration::from_millis(1)))
    }

    async fn asked(&mut self) -> String {
        timeout(LIMIT, self.requests.recv()).await.expect("in time").expect("a request")
    }
}

async fn head(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        assert_ne!(socket.read_buf(&mut read).await.expect("a request"), 0);
    }
    String::from_utf8_lossy(&read).to_lowercase()
}

fn stream(events: &str) -> String {
    format!("{OPEN}{events}")
}

#[tokio::test]
async fn it_asks_nothing_before_it_is_polled_and_dropping_it_cancels() {
    let mut server = Server::script(&[&stream("data: a\n\n")]).await;
    let mut source = server.source().connect().expect("a valid request");
    assert!(timeout(Duration::from_millis(100), server.requests.recv()).await.is_err(), "asked already");
    let message = timeout(LIMIT, source.next()).await.expect("in time").expect("an item").expect("a message");
    assert_eq!(message.data(), "a");
    drop(source);
    timeout(LIMIT, server.left.recv()).await.expect("in time").expect("the connection is closed");
}

#[tokio::test]
async fn g16_the_cursor_is_saved_only_after_the_handler_succeeded() {
    let events = "retry: 1\nid: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\nid: 4\ndata: c\n\n";
    let mut server = Server::script(&[&stream(events), NO_CONTENT]).await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let (handled, saved) = (Arc::clone(&log), Arc::clone(&log));
    let source = server.source().connect().expect("a valid request");
    let running = source.run(
        async move |message| {
            tokio::task::yield_now().await;
            handled.lock().expect("not poisoned").push(format!("handled {}", message.data()));
            Ok::<_, io::Error>(())
        },
        move |id| {
            saved.lock().expect("not poisoned").push(format!("saved {id}"));
            Ok(())
        },
    );
    timeout(LIMIT, running).await.expect("in time").expect("ended by 204");
    let log = log.lock().expect("not poisoned").clone();
    assert_eq!(log, ["handled a", "saved 1", "handled b", "saved 2", "saved 3", "handled c", "saved 4"]);
    server.asked().await;
    assert!(server.asked().await.contains("last-event-id: 4\r\n"));
}

#[tokio::test]
async fn a_handler_that_fails_stops_the_run_with_the_cursor_before_its_message() {
    let server =
        Server::script(&[&stream("id: 1\ndata: a\n\nid: 2\ndata: poison\n\nid: 3\ndata: c\n\n")]).await;
    let mut saved = String::new();
    let source = server.source().connect().expect("a valid request");
    let handler = async |message: sse_core::Message| match message.data() {
        "poison" => Err("no"),
        _ => Ok(()),
    };
    let save = |id: &str| {
        id.clone_into(&mut saved);
        Ok(())
    };
    let stopped = source.run(handler, save).await;
    assert!(matches!(stopped, Err(HandlingError::Handler("no"))));
    assert_eq!(saved, "1");
}

#[tokio::test]
async fn an_interruption_from_another_task_reconnects_at_once() {
    let mut server =
        Server::script(&[&stream("retry: 3600000\nid: 1\ndata: a\n\n"), &stream("data: b\n\n")]).await;
    let mut source = server.source().connect().expect("a valid request");
    let interrupt = source.interrupt();
    assert_eq!(source.next().await.expect("an item").expect("a message").data(), "a");
    let reading = tokio::spawn(async move { source.next().await });
    server.asked().await;
    // Whether the task waits for a byte already or not, it must hear this.
    std::thread::spawn(move || interrupt.interrupt()).join().expect("interrupted");
    let message = timeout(LIMIT, reading).await.expect("in time").expect("joined").expect("an item");
    let message = message.expect("a message");
    assert_eq!((message.data(), message.last_event_id()), ("b", "1"));
    assert!(server.asked().await.contains("last-event-id: 1\r\n"));
}

#[tokio::test]
async fn a_refusal_tells_status_headers_and_the_start_of_the_body() {
    let answer = "HTTP/1.1 403 Forbidden\r\nx-reason: quota\r\ncontent-length: 9\r\n\r\nno tokens";
    let server = Server::script(&[answer]).await;
    let mut source = server.source().connect().expect("a valid request");
    let error = source.next().await.expect("an item").expect_err("refused");
    assert!(source.next().await.is_none());
    let refusal = error.refusal().expect("a refusal");
    assert_eq!((refusal.status.as_u16(), &refusal.body[..]), (403, &b"no tokens"[..]));
    assert_eq!(refusal.headers["x-reason"], "quota");
    assert_eq!(error.to_string(), "event source: the server answered 403 Forbidden");
}

#[tokio::test]
async fn a_connection_that_is_refused_is_tried_as_often_as_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let causes = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&causes);
    let mut source = EventSource::get(url)
        .first_connection(Attempts::unlimited().tries(3))
        .backoff(Backoff::default().min(Duration::from_millis(1)).max(Duration::from_millis(5)))
        .on_disconnect(move |cause, verdict| {
            assert!(matches!(cause, Disconnect::Network(_)), "{cause}");
            *seen.lock().expect("not poisoned") += 1;
            assert_eq!(verdict == Verdict::Stop, *seen.lock().expect("not poisoned") == 3);
            verdict
        })
        .connect()
        .expect("a valid request");
    let error =
        timeout(LIMIT, source.next()).await.expect("in time").expect("an item").expect_err("no server");
    assert_eq!((error.tries(), *causes.lock().expect("not poisoned")), (3, 3));
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_large_event_comes_in_parts_to_those_who_ask() {
    let text = "x".repeat(100_000);
    let server = Server::script(&[&stream(&format!("id: 9\ndata: {text}\n\n"))]).await;
    let mut events = server.source().parts(4_096).events().expect("a valid request");
    let (mut data, mut parts) = (String::new(), 0);
    loop {
        match events.next().await.expect("an item").expect("no error") {
            ClientEvent::Part(part) => {
                data.push_str(&part);
                parts += 1;
            }
            ClientEvent::Message(message) => {
                data.push_str(message.data());
                assert_eq!(message.last_event_id(), "9");
                break;
            }
            ClientEvent::Open(opened) => assert_eq!(opened.headers["content-type"], "text/event-stream"),
            other => panic!("{other:?}"),
        }
    }
    assert!(parts > 1, "{parts}");
    assert_eq!(data, text);
}

#[tokio::test]
async fn a_gap_is_told_and_the_message_with_it() {
    let json = r#"{"reason":"trimmed","requested":"00000000000000ff-1","resumed_at":"00000000000000ff-7","missed":3}"#;
    let notice = format!("event: sse.gap\ndata: {json}\nid: 00000000000000ff-7\n\n");
    let server = Server::script(&[&stream(&notice)]).await;
    let mut events = server.source().events().expect("a valid request");
    assert!(matches!(events.next().await, Some(Ok(ClientEvent::Open(_)))));
    let Some(Ok(ClientEvent::Gap { gap, message })) = events.next().await else { panic!("no gap") };
    assert_eq!((gap.missed, gap.resumed_at.to_string().as_str()), (Some(3), message.last_event_id()));
}

#[cfg(feature = "gzip")]
mod gzip {
    use std::io::Write;

    use flate2::{Compression, write};

    use super::*;

    fn answer(encoding: &str, body: &[u8]) -> Vec<u8> {
        let head = OPEN.replace("connection", &format!("content-encoding: {encoding}\r\nconnection"));
        [head.as_bytes(), body].concat()
    }

    #[tokio::test]
    async fn compressed_streams_are_read_as_they_come_when_asked_for() {
        let text = "data: hello\n\n";
        let mut gzip = write::GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).and_then(|()| gzip.flush()).expect("in memory");
        let mut deflate = write::ZlibEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(text.as_bytes()).and_then(|()| deflate.flush()).expect("in memory");
        for (encoding, body) in [("gzip", gzip.get_ref()), ("deflate", deflate.get_ref())] {
            let mut server = Server::start(vec![answer(encoding, body)]).await;
            let mut source = server.source().gzip().connect().expect("a valid request");
            // The stream is held open: what was flushed must be there all the same.
            let message = timeout(LIMIT, source.next()).await.expect("in time").expect("an item");
            assert_eq!(message.expect("a message").data(), "hello", "{encoding}");
            assert!(server.asked().await.contains("accept-encoding: gzip, deflate\r\n"));
        }
    }

    #[tokio::test]
    async fn what_is_not_gzip_is_an_error_and_a_bomb_meets_the_limits() {
        let server = Server::start(vec![answer("gzip", b"data: plain after all\n\n")]).await;
        let error = server.source().gzip().connect().expect("valid").next().await.expect("an item");
        assert!(
            matches!(error.expect_err("not gzip").cause(), Disconnect::ContentEncoding(name) if name == "gzip")
        );

        let mut bomb = write::GzEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(b"data: ").expect("in memory");
        for _ in 0..64 {
            bomb.write_all(&vec![b'0'; 1 << 20]).expect("in memory");
        }
        let server = Server::start(vec![answer("gzip", &bomb.finish().expect("in memory"))]).await;
        let limits = sse_core::Limits::default().line(1 << 20).event(1 << 20);
        let error =
            server.source().gzip().limits(limits).connect().expect("valid").next().await.expect("an item");
        assert!(matches!(error.expect_err("too large").cause(), Disconnect::Decode(_)));
    }
}
