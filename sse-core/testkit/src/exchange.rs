use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout, timeout_at},
};

use crate::{DispatchedEvent, Failed, Outcome, outcome::ensure, read};

/// Maximum number of bytes per read.
const AT_ONCE: usize = 256 << 10;

/// A request, written to the socket byte by byte.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    receive_buffer: Option<u32>,
}

impl Request {
    /// A GET.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { method: "GET", target: target.into(), headers, body, receive_buffer: None }
    }

    /// A HEAD.
    #[must_use]
    pub fn head(target: impl Into<String>) -> Self {
        Self { method: "HEAD", ..Self::get(target) }
    }

    /// A POST with this body.
    #[must_use]
    pub fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST", body: body.into(), ..Self::get(target) }
    }

    /// An OPTIONS.
    #[must_use]
    pub fn options(target: impl Into<String>) -> Self {
        Self { method: "OPTIONS", ..Self::get(target) }
    }

    /// A DELETE.
    #[must_use]
    pub fn delete(target: impl Into<String>) -> Self {
        Self { method: "DELETE", ..Self::get(target) }
    }

    /// A request with any other method, and without a body.
    #[must_use]
    pub fn other(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, ..Self::get(target) }
    }

    /// Adds a header with any bytes; a `Host` replaces the address.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    /// Adds a `Last-Event-ID`.
    #[must_use]
    pub fn after(self, id: impl AsRef<[u8]>) -> Self {
        self.header("Last-Event-ID", id)
    }

    /// Gives the connection small buffers, so that a stalled reader soon has an effect: a few segments, because
    /// with less than one even an active reader would wait for timers.
    #[must_use]
    pub fn narrow(self) -> Self {
        Self { receive_buffer: Some(256 << 10), ..self }
    }

    /// The target of the request.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            bytes.extend_from_slice(format!("host: {address}\r\n").as_bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if self.method == "POST" {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As HTTP requires: with the last chunk, or with as many bytes as announced.
    Clean,
    /// The connection closed before.
    Cut,
}

/// One response, as it came over the socket.
#[derive(Debug)]
pub struct Exchange {
    stream: TcpStream,
    patience: Duration,
    head: String,
    body: Vec<u8>,
    chunk_ends: Vec<usize>,
    ended: Option<Ending>,
    unread: Vec<u8>,
    framing: Framing,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Chunked,
    Length(usize),
}

impl Exchange {
    /// Sends a request on a connection of its own and waits for the response head.
    ///
    /// # Errors
    /// If there is no response in time.
    pub async fn send(address: SocketAddr, request: Request, patience: Duration) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(size) = request.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        let mut stream = timeout(patience, socket.connect(address)).await??;
        // A server may answer, and close, before it has read all of a request that is too long.
        let _ = timeout(patience, stream.write_all(&request.bytes(address))).await?;
        let mut unread = Vec::new();
        let end = loop {
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let read = timeout(patience, stream.read_buf(&mut unread)).await;
            let read = read.map_err(|_| Failed::new("no head of an answer in time"))??;
            ensure!(read > 0, "the connection closed instead of an answer");
        };
        let rest = unread.split_off(end + 4);
        let head = normal(&unread);
        let chunked = head.contains("\ntransfer-encoding: chunked");
        let has_body = request.method != "HEAD" && !head.starts_with("http/1.1 204");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let framing = match length.and_then(|length| length.parse().ok()) {
            Some(length) if has_body => Framing::Length(length),
            _ if has_body && chunked => Framing::Chunked,
            _ => Framing::Length(0),
        };
        let (body, chunk_ends) = (Vec::new(), Vec::new());
        let mut exchange =
            Self { stream, patience, head, body, chunk_ends, ended: None, unread: rest, framing };
        exchange.take()?;
        Ok(exchange)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The status line and the headers in lower case, sorted, without `date`.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.head
    }

    /// A header's value as it came.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        values.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The body so far, without its chunks' framing.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body so far as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The position in the body at which each chunk ended.
    #[must_use]
    pub fn chunk_ends(&self) -> &[usize] {
        &self.chunk_ends
    }

    /// How the body ended, if it has.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ended
    }

    /// The events so far, without the checkpoints, which pages do not listen for.
    #[must_use]
    pub fn told(&self) -> Vec<DispatchedEvent> {
        let mut told = read(&self.body);
        told.retain(|told| told.event != "sse.checkpoint");
        told
    }

    /// The id of each checkpoint so far.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<String> {
        let all = read(&self.body).into_iter();
        all.filter(|told| told.event == "sse.checkpoint" && told.data.is_empty())
            .map(|told| told.id)
            .collect()
    }

    /// The `Last-Event-ID` of a client that is cut off here.
    #[must_use]
    pub fn last_event_id(&self) -> String {
        read(&self.body).pop().map(|told| told.id).unwrap_or_default()
    }

    /// The body so far as text, without a checkpoint at its beginning.
    #[must_use]
    pub fn text_after_first_checkpoint(&self) -> String {
        let text = self.text();
        let begins = text.split_once("event: sse.checkpoint\ndata: \nid: ");
        match begins.and_then(|(retry, rest)| Some((retry, rest.split_once("\n\n")?.1))) {
            Some((retry, rest)) if retry.lines().count() == 1 => [retry, rest].concat(),
            _ => text,
        }
    }

    /// Waits until `condition` holds, and fails if the body ends before that.
    ///
    /// # Errors
    /// If it does not hold in time; the message shows what came instead.
    pub async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Outcome {
        // One deadline for the whole wait: keep-alives must not extend it for ever.
        let deadline = Instant::now() + self.patience;
        while !condition(self) {
            ensure!(self.ended.is_none(), "ended ({:?}) before {what}:\n{}", self.ended, self.shown());
            ensure!(self.advance(deadline).await?, "waited in vain for {what}:\n{}", self.shown());
        }
        Ok(())
    }

    /// Waits until the body holds this text.
    ///
    /// # Errors
    /// As [`until`](Self::until).
    pub async fn until_text(&mut self, text: &str) -> Outcome {
        // Only new data are searched, because bodies may be long.
        let searched = std::cell::Cell::new(0);
        let found = |exchange: &Self| {
            let new = exchange.body.get(searched.get()..).unwrap_or_default();
            searched.set(exchange.body.len().saturating_sub(text.len()));
            String::from_utf8_lossy(new).contains(text)
        };
        self.until(text, found).await
    }

    /// Waits until `count` events have arrived.
    ///
    /// # Errors
    /// As [`until`](Self::until).
    pub async fn until_told(&mut self, count: usize) -> Outcome<Vec<DispatchedEvent>> {
        self.until(&format!("{count} events"), |exchange| exchange.told().len() >= count).await?;
        Ok(self.told())
    }

    /// Reads to the end, and fails unless the end is clean.
    ///
    /// # Errors
    /// If it does not end in time, or is cut.
    pub async fn to_end(&mut self) -> Outcome {
        self.until("the end", |exchange| exchange.ended.is_some()).await?;
        ensure!(self.ended == Some(Ending::Clean), "cut off:\n{}", self.shown());
        Ok(())
    }

    /// Reads for this long, whatever arrives.
    ///
    /// # Errors
    /// If the received data are not HTTP.
    pub async fn listen_for(&mut self, length: Duration) -> Outcome {
        let deadline = Instant::now() + length;
        while self.ended.is_none() && self.advance(deadline).await? {}
        Ok(())
    }

    /// Reads once; `false` if nothing has arrived at the deadline.
    async fn advance(&mut self, deadline: Instant) -> Outcome<bool> {
        self.unread.reserve(AT_ONCE);
        match timeout_at(deadline, self.stream.read_buf(&mut self.unread)).await {
            Err(_) => Ok(false),
            Ok(read) => self.received(read).map(|()| true),
        }
    }

    /// The head and the beginning of the body, which may be long.
    fn shown(&self) -> String {
        format!("{}\n{}", self.head, self.text().chars().take(2_000).collect::<String>())
    }

    fn received(&mut self, read: std::io::Result<usize>) -> Outcome {
        let closed = !read.is_ok_and(|read| read > 0);
        self.take()?;
        if closed && self.ended.is_none() {
            self.ended = Some(Ending::Cut);
        }
        Ok(())
    }

    /// Moves the received data into the body.
    fn take(&mut self) -> Outcome {
        match self.framing {
            Framing::Length(length) => {
                self.body.append(&mut self.unread);
                if self.body.len() >= length {
                    self.ended = Some(Ending::Clean);
                }
            }
            Framing::Chunked => while self.ended.is_none() && self.take_chunk()? {},
        }
        Ok(())
    }

    fn take_chunk(&mut self) -> Outcome<bool> {
        let Some(line) = self.unread.windows(2).position(|two| two == b"\r\n") else { return Ok(false) };
        let size = String::from_utf8_lossy(self.unread.get(..line).unwrap_or_default()).into_owned();
        let size =
            usize::from_str_radix(&size, 16).map_err(|_| Failed::new(format!("not a chunk: {size:?}")))?;
        let Some(chunk) = self.unread.get(line + 2..line + 2 + size + 2) else { return Ok(false) };
        ensure!(chunk.ends_with(b"\r\n"), "a chunk without its end");
        if size == 0 {
            self.ended = Some(Ending::Clean);
        } else {
            self.body.extend_from_slice(chunk.get(..size).unwrap_or_default());
            self.chunk_ends.push(self.body.len());
        }
        self.unread.drain(..line + 2 + size + 2);
        Ok(true)
    }
}

/// The status line, then the headers with names in lower case, sorted, without `date`, one per line.
fn normal(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap_or_default().to_ascii_lowercase();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| format!("{}: {}", name.to_ascii_lowercase(), value.trim()));
    let mut headers: Vec<_> = headers.filter(|header| !header.starts_with("date: ")).collect();
    headers.sort();
    headers.insert(0, status);
    headers.join("\n")
}
