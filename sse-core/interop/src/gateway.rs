use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sse_testkit::{Failed, Outcome};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::relay::hold;

/// Maximum length of a request's head, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// A gateway between browsers and the application, with one request per connection: it counts the streams, requires a
/// token, holds responses back until they are whole, cuts all connections, or refuses them.
///
/// All its connections end when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    rules: Arc<Mutex<Rules>>,
    accepting: JoinSet<()>,
    /// The port, while the gateway does not accept.
    held: Option<TcpSocket>,
}

#[derive(Debug)]
struct Rules {
    app: SocketAddr,
    token: Option<String>,
    holds_back: bool,
    /// The head of each request, in order.
    requests: Vec<String>,
    streams: usize,
    max_streams: usize,
}

impl Gateway {
    /// Starts one in front of an application.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(app: SocketAddr) -> Outcome<Self> {
        let rules =
            Rules { app, token: None, holds_back: false, requests: Vec::new(), streams: 0, max_streams: 0 };
        let held = hold(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let (rules, accepting) = (Arc::new(Mutex::new(rules)), JoinSet::new());
        let mut gateway = Self { address: held.local_addr()?, rules, accepting, held: Some(held) };
        gateway.accept()?;
        Ok(gateway)
    }

    /// The URL of this target, for browsers.
    #[must_use]
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Answers requests for `/events` with 401, unless they bear this token.
    pub fn require(&self, token: &str) {
        self.rules().token = Some(token.to_owned());
    }

    /// Sends each response that begins from now on only when it is whole, or at once again.
    pub fn hold_back(&self, holds_back: bool) {
        self.rules().holds_back = holds_back;
    }

    /// Sends the requests to another application from now on.
    pub fn lead_to(&self, app: SocketAddr) {
        self.rules().app = app;
    }

    /// The head of each request for `/events` whose `Accept` begins with this type, in order.
    #[must_use]
    pub fn requests(&self, accept: &str) -> Vec<String> {
        let accepts = format!("\r\naccept: {accept}");
        let of_type = |head: &&String| is_of_events(head) && head.to_ascii_lowercase().contains(&accepts);
        self.rules().requests.iter().filter(of_type).cloned().collect()
    }

    /// The number of open streams, and the largest number that was open at once.
    #[must_use]
    pub fn streams(&self) -> (usize, usize) {
        let rules = self.rules();
        (rules.streams, rules.max_streams)
    }

    /// Cuts all connections.
    ///
    /// # Errors
    /// If the port is lost.
    pub async fn cut(&mut self) -> Outcome {
        self.refuse().await?;
        self.accept()
    }

    /// Cuts all connections and refuses new ones.
    ///
    /// # Errors
    /// If the port is lost.
    pub async fn refuse(&mut self) -> Outcome {
        self.accepting.shutdown().await;
        self.held = Some(hold(self.address)?);
        Ok(())
    }

    /// Accepts connections again.
    ///
    /// # Errors
    /// If the gateway already accepts.
    pub fn accept(&mut self) -> Outcome {
        let socket = self.held.take().ok_or_else(|| Failed::new("it accepts connections"))?;
        let listener = socket.listen(64)?;
        let rules = Arc::clone(&self.rules);
        self.accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((browser, _)) = listener.accept().await {
                let rules = Arc::clone(&rules);
                connections.spawn(async move {
                    // Either side may disconnect at any time.
                    let _ = pass(browser, &rules).await;
                });
            }
        });
        Ok(())
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        locked(&self.rules)
    }
}

fn locked(rules: &Mutex<Rules>) -> MutexGuard<'_, Rules> {
    rules.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_of_events(head: &str) -> bool {
    head.starts_with("GET /events")
}

/// An open stream, which is counted until this is dropped.
struct OpenStream<'a>(&'a Mutex<Rules>);

impl<'a> OpenStream<'a> {
    fn new(rules: &'a Mutex<Rules>) -> Self {
        let mut locked = locked(rules);
        locked.streams += 1;
        locked.max_streams = locked.max_streams.max(locked.streams);
        Self(rules)
    }
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        locked(self.0).streams -= 1;
    }
}

async fn pass(mut browser: TcpStream, rules: &Mutex<Rules>) -> io::Result<()> {
    browser.set_nodelay(true)?;
    let (head, rest) = read_head(&mut browser).await?;
    let (app, holds_back, is_refused) = {
        let mut rules = locked(rules);
        rules.requests.push(head.clone());
        let bears = |token: &String| head.contains(&format!("Bearer {token}\r\n"));
        let is_refused = is_of_events(&head) && !rules.token.as_ref().is_none_or(bears);
        (rules.app, rules.holds_back, is_refused)
    };
    if is_refused {
        let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return browser.write_all(answer).await;
    }
    let is_stream =
        is_of_events(&head) && head.to_ascii_lowercase().contains("\r\naccept: text/event-stream");
    let _open = is_stream.then(|| OpenStream::new(rules));
    let mut app = TcpStream::connect(app).await?;
    app.set_nodelay(true)?;
    app.write_all(for_one_request(&head).as_bytes()).await?;
    app.write_all(&rest).await?;
    if !holds_back {
        return copy_bidirectional(&mut browser, &mut app).await.map(drop);
    }
    let mut whole = Vec::new();
    let mut nothing = [0];
    tokio::select! {
        read = app.read_to_end(&mut whole) => read?,
        // The browser has given up.
        left = browser.read(&mut nothing) => return left.map(drop),
    };
    browser.write_all(&whole).await
}

/// The same head, with which the application closes the connection after its response.
fn for_one_request(head: &str) -> String {
    let is_kept = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
    let mut lines: Vec<_> = head.trim_end().split("\r\n").filter(is_kept).collect();
    lines.push("connection: close\r\n\r\n");
    lines.join("\r\n")
}

/// Reads the head of a request, with the blank line, and the bytes after it.
async fn read_head(browser: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while head.len() < MAX_HEAD && browser.read_buf(&mut head).await? > 0 {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = head.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&head).into_owned(), rest));
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
