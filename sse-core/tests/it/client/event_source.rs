//! The client over real sockets, as far as its own promises go: lazy, cancelled by drop, at-least-once, interrupted.

#![cfg(feature = "client")]

use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use http::{Request, Response};
use sse_core::{
    EventSource,
    client::{
        Attempts, Backoff, ClientEvent, ConsumeError, Disconnect, HyperTransport, InvalidRequest,
        PermanentError, Transport, Verdict,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

const OPEN: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const LIMIT: Duration = Duration::from_secs(20);

/// Answers one request after the other with the bytes of a script; the last one is held open.
struct Server {
    url: String,
    /// Each request's head, in lower case.
    requests: mpsc::UnboundedReceiver<String>,
    /// Receives a message when the client has left a connection that was held open.
    left: mpsc::UnboundedReceiver<()>,
}

impl Server {
    async fn start(script: Vec<Vec<u8>>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), script)
    }

    fn on(listener: TcpListener, script: Vec<Vec<u8>>) -> Self {
        let url = format!("http://{}/events", listener.local_addr().expect("an address"));
        let (asked, requests) = mpsc::unbounded_channel();
        let (leaves, left) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let last = script.len() - 1;
            for (at, answer) in script.into_iter().enumerate() {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                // The receiver may have been dropped: the test has seen enough.
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

    fn source(&self) -> sse_core::client::EventSourceBuilder {
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
async fn a_failed_handler_keeps_the_cursor_before_its_message() {
    let server =
        Server::script(&[&stream("id: 1\ndata: a\n\nid: 2\ndata: poison\n\nid: 3\ndata: c\n\n")]).await;
    let mut saved = String::new();
    let source = server.source().connect().expect("a valid request");
    let handler = async |message: sse_core::decode::Message| match message.data() {
        "poison" => Err("no"),
        _ => Ok(()),
    };
    let save = |id: &str| {
        id.clone_into(&mut saved);
        Ok(())
    };
    let stopped = source.run(handler, save).await;
    assert!(matches!(stopped, Err(ConsumeError::Handler("no"))));
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
    // Whether the task already waits for a byte or not, it must receive this.
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

/// Waits ten minutes before the head, and again before the event.
struct Thinking;

impl Transport for Thinking {
    type Body = BoxStream<'static, Result<Bytes, Infallible>>;
    type Error = Infallible;

    async fn send(&self, _: Request<Bytes>) -> Result<Response<Self::Body>, Infallible> {
        let think = || sleep(Duration::from_secs(600));
        think().await;
        let body = stream::once(async move {
            think().await;
            Ok("data: 42\n\n".into())
        });
        Ok(Response::builder()
            .header("content-type", "text/event-stream")
            .body(body.boxed())
            .expect("a head"))
    }
}

#[tokio::test(start_paused = true)]
async fn g16_an_answer_that_cannot_be_asked_for_again_is_waited_for() {
    let post = || EventSource::post("http://a.example/").transport(Thinking);
    let mut source = post().connect().expect("a valid request");
    assert_eq!(source.next().await.expect("an item").expect("a message").data(), "42");
    assert!(source.next().await.is_none());

    // Requests that can be repeated have a time limit, and so do those that the application limits.
    let patient = || post().connect_timeout(None);
    let get = || EventSource::get("http://a.example/").transport(Thinking);
    for (name, source) in [
        ("head, GET", get()),
        ("head, repeated", post().repeat()),
        ("head, bounded", post().connect_timeout(Duration::from_secs(30))),
        ("body, GET", get().connect_timeout(None)),
        ("body, repeated", patient().repeat()),
        ("body, bounded", patient().idle_timeout(Duration::from_secs(30))),
    ] {
        let mut source = source.on_disconnect(|_, _| Verdict::Stop).connect().expect("a valid request");
        let error = source.next().await.expect("an item").expect_err(name);
        let is_head = matches!(error.cause(), Disconnect::Timeout(_));
        assert_eq!(is_head, name.starts_with("head"), "{name}: {error}");
    }
}

/// Fails like a transport with a wrong configuration.
struct Wrong;

impl Transport for Wrong {
    type Body = BoxStream<'static, io::Result<Bytes>>;
    type Error = io::Error;

    async fn send(&self, _: Request<Bytes>) -> io::Result<Response<Self::Body>> {
        Err(io::Error::other(PermanentError::new("no certificates")))
    }
}

#[tokio::test]
async fn a_permanent_error_of_a_transport_is_final() {
    let mut source = EventSource::get("http://a.example/").transport(Wrong).connect().expect("valid");
    let error = timeout(LIMIT, source.next()).await.expect("it is final").expect("an item");
    let error = error.expect_err("no certificates");
    assert!(matches!(error.cause(), Disconnect::Transport(_)), "{error}");
    assert!(error.to_string().contains("no certificates"), "{error}");
}

#[tokio::test]
async fn g16_a_cursor_from_outside_is_checked_where_it_enters() {
    for builder in [
        |source: sse_core::client::EventSourceBuilder, id: &str| source.last_event_id(id),
        |source: sse_core::client::EventSourceBuilder, id: &str| {
            source.header("last-event-id", http::HeaderValue::from_bytes(id.as_bytes()).expect("a header"))
        },
    ] {
        let mut server = Server::script(&[NO_CONTENT]).await;
        assert!(builder(server.source(), " abc-5 ").connect().expect("valid").next().await.is_none());
        assert!(server.asked().await.contains("last-event-id: abc-5\r\n"));
    }
    let mut server = Server::script(&[NO_CONTENT]).await;
    let mut source = server.source().last_event_id("abc-5\r\n").connect().expect("valid");
    assert_eq!(source.last_event_id(), "abc-5");
    assert!(source.next().await.is_none());
    assert!(server.asked().await.contains("last-event-id: abc-5\r\n"));
    for id in ["a\nb", "a\0", "a\u{1}"] {
        let refused = server.source().last_event_id(id).connect();
        assert!(matches!(refused, Err(InvalidRequest::LastEventId { .. })), "{id:?}");
    }
    let latin = http::HeaderValue::from_bytes(b"\xe9").expect("a header");
    let refused = server.source().header("last-event-id", latin).connect();
    assert!(matches!(refused, Err(InvalidRequest::LastEventId { .. })));
}

#[tokio::test]
async fn g16_a_redirect_target_cannot_aim_the_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let home = listener.local_addr().expect("an address");
    let to = |status: u16, url: &str| {
        format!("HTTP/1.1 {status} Moved\r\nlocation: {url}\r\nconnection: close\r\n\r\n").into_bytes()
    };
    let other = vec![
        stream("retry: 1\nid: other-1\ndata: a\n\n").into_bytes(),
        to(307, &format!("http://{home}/admin/delete")),
        NO_CONTENT.into(),
    ];
    let mut other = Server::start(other).await;
    let mut server = Server::on(listener, vec![to(301, &other.url), NO_CONTENT.into()]);
    let source =
        server.source().header("authorization", "secret").header("cookie", "a=b").header("x-key", "k");
    let mut source = source.last_event_id("home-1").connect().expect("a valid request");
    while let Some(message) = timeout(LIMIT, source.next()).await.expect("in time") {
        assert_eq!(message.expect("a message").data(), "a");
    }
    let has =
        |request: &str, names: &[&str]| names.iter().any(|name| request.contains(&format!("\r\n{name}:")));
    let own = ["authorization", "cookie", "x-key"];
    let first = server.asked().await;
    assert!(
        own.iter().all(|name| has(&first, &[name])) && first.contains("last-event-id: home-1\r\n"),
        "{first}"
    );
    for at in 0..2 {
        let request = other.asked().await;
        assert!(!has(&request, &own), "{request}");
        assert_eq!(has(&request, &["last-event-id"]), at == 1, "{request}");
    }
    let aimed = server.asked().await;
    assert!(aimed.starts_with("get /admin/delete "), "{aimed}");
    assert!(!has(&aimed, &own) && !has(&aimed, &["last-event-id"]), "{aimed}");
}

mod heads {
    use super::*;

    fn headers(count: usize) -> String {
        let lines: String = (0..count).map(|at| format!("x-{at}: {at}\r\n")).collect();
        stream("data: a\n\n").replace("connection: close\r\n", &format!("connection: close\r\n{lines}"))
    }

    async fn read(
        source: sse_core::client::EventSourceBuilder,
    ) -> Result<String, Box<sse_core::client::ClientError>> {
        let mut source = source.connect().expect("a valid request");
        let item = timeout(LIMIT, source.next()).await.expect("in time").expect("an item");
        item.map(sse_core::decode::Message::into_data).map_err(Box::new)
    }

    #[tokio::test]
    async fn folded_lines_become_spaces() {
        let answer = OPEN
            .replace("text/event-stream", "\r\n text/event-stream;\r\n\t a=b")
            .replace("connection", "x-folded: a\r\n b\r\nconnection");
        let server = Server::script(&[&format!("{answer}data: a\n\n")]).await;
        let mut events = server.source().events().expect("a valid request");
        let Some(Ok(ClientEvent::Open(opened))) = events.next().await else { panic!("not open") };
        assert_eq!(opened.headers["x-folded"], "a b");
        assert_eq!(opened.headers["content-type"], "text/event-stream; a=b");
    }

    #[tokio::test]
    async fn many_headers_are_read_up_to_the_limit() {
        let server = Server::script(&[&headers(4_000)]).await;
        assert_eq!(read(server.source()).await.expect("a message"), "a");
        let few = HyperTransport::new().max_headers(10);
        let server = Server::script(&[&headers(8)]).await;
        assert_eq!(read(server.source().transport(few.clone())).await.expect("a message"), "a");
        let many = headers(9);
        let mut server = Server::script(&[&many, &many, &many, &many]).await;
        let error = read(server.source().transport(few)).await.expect_err("too many");
        assert!(matches!(error.cause(), Disconnect::Head(_)), "{error}");
        assert_eq!(error.tries(), 3);
        assert!(error.to_string().contains("head"), "{error}");
        for _ in 0..3 {
            server.asked().await;
        }
        assert!(server.requests.try_recv().is_err(), "asked a fourth time");
        // More headers than a map can hold is an error like any other.
        let answer = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a:b\r\n".repeat(50_000));
        let server = Server::script(&[&answer]).await;
        let most = HyperTransport::new().max_headers(usize::MAX);
        let source = server.source().transport(most).first_connection(Attempts::once());
        assert!(matches!(read(source).await.expect_err("too large").cause(), Disconnect::Head(_)));
    }

    #[tokio::test]
    async fn what_is_not_http_is_final_after_three_in_a_row() {
        let garbage = "SSH-2.0-OpenSSH_9.6\r\n";
        let server = Server::script(&[garbage, garbage, NO_CONTENT]).await;
        let mut source = server.source().connect().expect("valid");
        // Two empty streams may be a server that is starting.
        assert!(timeout(LIMIT, source.next()).await.expect("in time").is_none());
        let server = Server::script(&[garbage; 4]).await;
        let error = read(server.source()).await.expect_err("not HTTP");
        assert!(matches!(error.cause(), Disconnect::Head(_)), "{error}");
    }

    #[tokio::test]
    async fn names_that_are_not_codings_pass_and_none_is_asked_for() {
        for coding in ["none", "utf-8", "binary", "identity, identity", "chunked", "gzip, utf-8"] {
            let answer = OPEN.replace("connection", &format!("content-encoding: {coding}\r\nconnection"));
            let mut server = Server::script(&[&format!("{answer}data: a\n\n")]).await;
            assert_eq!(read(server.source()).await.expect(coding), "a");
            assert!(server.asked().await.contains("accept-encoding: identity\r\n"));
        }
        let answer = OPEN.replace("connection", "content-encoding: br\r\nconnection");
        let server = Server::script(&[&answer]).await;
        let error = read(server.source()).await.expect_err("compressed");
        assert!(matches!(error.cause(), Disconnect::ContentEncoding(name) if name == "br"), "{error}");
    }
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
        let mut raw = write::DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(text.as_bytes()).and_then(|()| raw.flush()).expect("in memory");
        let mut twice = write::GzEncoder::new(Vec::new(), Compression::default());
        twice.write_all(gzip.get_ref()).and_then(|()| twice.flush()).expect("in memory");
        let mut deflate = write::ZlibEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(text.as_bytes()).and_then(|()| deflate.flush()).expect("in memory");
        for (encoding, body) in [
            ("gzip", gzip.get_ref()),
            ("X-Gzip", gzip.get_ref()),
            ("deflate", deflate.get_ref()),
            ("deflate", raw.get_ref()),
            ("gzip, gzip", twice.get_ref()),
        ] {
            let mut server = Server::start(vec![answer(encoding, body)]).await;
            let mut source = server.source().gzip().connect().expect("a valid request");
            // The stream is held open: the flushed event must arrive all the same.
            let message = timeout(LIMIT, source.next()).await.expect("in time").expect("an item");
            assert_eq!(message.expect("a message").data(), "hello", "{encoding}");
            assert!(server.asked().await.contains("accept-encoding: gzip, deflate\r\n"));
        }
    }

    #[tokio::test]
    async fn a_compressed_refusal_is_decompressed() {
        let mut gzip = write::GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(br#"{"error":"no model"}"#).expect("in memory");
        let mut answer =
            b"HTTP/1.1 400 Bad Request\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n".to_vec();
        answer.extend(gzip.finish().expect("in memory"));
        let server = Server::start(vec![answer, NO_CONTENT.into()]).await;
        let error =
            server.source().connect().expect("valid").next().await.expect("an item").expect_err("refused");
        assert_eq!(error.refusal().expect("a refusal").excerpt(100), r#"{"error":"no model"}"#);
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
        let limits = sse_core::decode::Limits::default().line(1 << 20).event(1 << 20);
        let error =
            server.source().gzip().limits(limits).connect().expect("valid").next().await.expect("an item");
        assert!(matches!(error.expect_err("too large").cause(), Disconnect::Decode(_)));
    }
}
