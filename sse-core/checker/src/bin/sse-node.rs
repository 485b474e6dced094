//! A process for tests: a node with a hub over an engine. It has those routes of the example application that a
//! reader and a publisher need, without a framework.
//!
//! `sse-node --history file:PATH|redis:URL|nats:URL|postgres:URL [--addr 127.0.0.1:0] [--name sse] [--retain EVENTS] [--keep EVENTS]`:
//! EVENTS is the number of events retained in memory per topic, and the number kept in a file for all topics together.

use std::time::Duration;

use futures_util::StreamExt;
use sse_core::{
    Error, Event, EventStream, Hub, KeepAlive, Pattern, Retention, Start,
    history::{FileHistory, HistoryError, NatsHistory, PostgresHistory, RedisHistory},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[tokio::main]
async fn main() {
    let (mut addr, mut name) = ("127.0.0.1:0".to_owned(), "sse".to_owned());
    let (mut window, mut file, mut history) = (Retention::default(), FileHistory::builder(), None);
    let mut args = std::env::args().skip(1);
    while let (Some(flag), Some(value)) = (args.next(), args.next()) {
        let number = || value.parse().expect("a number");
        match &*flag {
            "--addr" => addr = value,
            "--name" => name = value,
            "--retain" => window = window.events(number()),
            "--keep" => file = file.retention(Retention::default().events(number())),
            "--history" => history = Some(value),
            _ => panic!("{flag}: no such flag"),
        }
    }
    let history = history.expect("--history");
    let hub = open(Hub::builder().retention(window), file, &history, &name).await;
    let hub = hub.unwrap_or_else(|error| {
        eprintln!("sse-node: {error}");
        std::process::exit(1);
    });
    let listener = TcpListener::bind(addr).await.expect("an address to listen on");
    println!("listening on http://{}", listener.local_addr().expect("an address"));
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(answer(socket, hub.clone()));
    }
}

async fn open(
    hub: sse_core::HubBuilder,
    file: sse_core::history::FileHistoryBuilder,
    history: &str,
    name: &str,
) -> Result<Hub, HistoryError> {
    match history.split_once(':') {
        Some(("file", path)) => hub.open(file.open(path)?).await,
        Some(("redis", url)) => hub.open(RedisHistory::connect(url, name).await?).await,
        Some(("nats", url)) => hub.open(NatsHistory::connect(url, name).await?).await,
        Some(("postgres", url)) => hub.open(PostgresHistory::connect(url, name).await?).await,
        _ => panic!("--history file:PATH, redis:URL, nats:URL or postgres:URL"),
    }
}

/// The parts of a request that this program uses.
#[derive(Default)]
struct Request {
    path: String,
    query: String,
    last: Option<Vec<u8>>,
    body: String,
}

impl Request {
    async fn read(socket: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let head = loop {
            if socket.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let mut body = bytes.split_off(head);
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let target = head.split(' ').nth(1)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self { path: path.to_owned(), query: query.to_owned(), ..Self::default() };
        let mut length = 0;
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match &*name.to_ascii_lowercase() {
                "content-length" => length = value.parse().ok()?,
                "last-event-id" => request.last = Some(value.into()),
                _ => {}
            }
        }
        while body.len() < length {
            if socket.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        request.body = String::from_utf8(body).ok()?;
        Some(request)
    }

    /// The values of a name in the query; the query has no escapes.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    fn topics(&self) -> Vec<String> {
        self.values("topic").map(str::to_owned).collect()
    }
}

async fn answer(mut socket: TcpStream, hub: Hub) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let request = Request::read(&mut socket).await?;
    let done = match &*request.path {
        "/publish" => publish(&request, &hub).await,
        _ => match events(&request, &hub).await {
            Ok(stream) => return send(&mut socket, stream).await,
            Err(error) => Err(error),
        },
    };
    let (status, body) = match done {
        Ok(body) => (200, body),
        Err(error) => (error.status().as_u16(), error.into_response().into_body()),
    };
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all((head + &body).as_bytes()).await.ok()
}

async fn events(request: &Request, hub: &Hub) -> Result<EventStream, Error> {
    let last = request.last.as_deref().map(String::from_utf8_lossy);
    let last = last.as_deref().or_else(|| request.values("last_event_id").next());
    let earliest = request.values("start").any(|start| start == "earliest");
    let start = if earliest { Start::Earliest } else { Start::Live };
    let topics = request.topics().iter().map(Pattern::new).collect::<Result<Vec<_>, _>>()?;
    let subscription = hub.subscribe(topics).after(last).start(start).await?;
    Ok(EventStream::new(subscription).keep_alive(KeepAlive::every(Duration::from_millis(500))))
}

async fn publish(request: &Request, hub: &Hub) -> Result<String, Error> {
    let publishing = hub.publish(request.topics(), Event::message(&*request.body));
    let receipt = match request.values("key").next() {
        Some(key) => publishing.key(key).await?,
        None => publishing.await?,
    };
    Ok(format!(r#"{{"id":"{}","receivers":{}}}"#, receipt.cursor, receipt.receivers.unwrap_or(0)))
}

async fn send(socket: &mut TcpStream, stream: EventStream) -> Option<()> {
    let response = stream.into_response();
    let head = format!("HTTP/1.1 {} -\r\ntransfer-encoding: chunked\r\n\r\n", response.status().as_u16());
    socket.write_all(head.as_bytes()).await.ok()?;
    let mut body = std::pin::pin!(response.into_body());
    let (mut reading, mut writing) = socket.split();
    loop {
        let mut left = [0];
        tokio::select! {
            // The client sends nothing after its request, so a read that returns means that it has left.
            _ = reading.read(&mut left) => return None,
            bytes = body.next() => {
                let Some(Ok(bytes)) = bytes else { break };
                writing.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await.ok()?;
                writing.write_all(&bytes).await.ok()?;
                writing.write_all(b"\r\n").await.ok()?;
            }
        }
    }
    writing.write_all(b"0\r\n\r\n").await.ok()
}
