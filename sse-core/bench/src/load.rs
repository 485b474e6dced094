//! Shared code of the programs that load an example application for minutes: the application as a separate process, a
//! connection for requests, and streams that are read chunk by chunk with small buffers.

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use sse_testkit::Chunks;

/// How long anything that must arrive may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An application that serves on a free port.
#[derive(Debug)]
pub struct Application {
    child: Child,
    address: SocketAddr,
}

impl Application {
    /// Starts the application and waits until it prints its address.
    pub async fn start(program: &str, flags: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["--addr", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the application starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("readable");
        let line = line.expect("a line");
        let address = line.strip_prefix("listening on http://").expect("the address");
        Self { address: address.parse().expect("an address"), child }
    }

    /// The address of the application.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn id(&self) -> u32 {
        self.child.id().expect("running")
    }

    /// Resident memory of the application, in bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("readable");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim_end_matches("kB").trim().parse::<u64>().expect("a number") << 10
    }

    /// Number of files and sockets that the application has open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("readable").count()
    }

    /// The body of `GET /stats`.
    pub async fn stats(&self) -> Value {
        let mut asking = Asking::connect(self.address).await;
        serde_json::from_slice(&asking.ask("GET", "/stats", "").await).expect("JSON")
    }

    /// Sends SIGTERM; returns how long the application took to end, and its exit code.
    pub async fn terminate(&mut self) -> (Duration, Option<i32>) {
        let began_at = Instant::now();
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().await;
        assert!(status.expect("kill runs").success());
        let exit = timeout(PATIENCE, self.child.wait()).await.ok();
        (began_at.elapsed(), exit.and_then(|exit| exit.expect("waited for").code()))
    }
}

/// One connection for successive requests.
#[derive(Debug)]
pub struct Asking(BufReader<TcpStream>);

impl Asking {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        stream.set_nodelay(true).expect("without delay");
        Self(BufReader::new(stream))
    }

    /// Sends a request and reads the response body.
    pub async fn ask(&mut self, method: &str, target: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        let request =
            format!("{method} {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{body}");
        self.0.get_mut().write_all(request.as_bytes()).await.expect("written");
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).await.expect("a head");
            assert!(read > 0, "the application closed the connection");
            if let Some(value) = line.trim().to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).await.expect("an answer");
        answer
    }

    /// Publishes a text.
    pub async fn publish(&mut self, topic: &str, text: &str) {
        self.ask("POST", &format!("/publish?topic={topic}"), text).await;
    }
}

/// Opens a stream, after a cursor unless it is empty.
///
/// # Errors
/// If there is no connection, or the response is not 200.
pub async fn open(address: SocketAddr, target: &str, cursor: &str) -> std::io::Result<Chunks> {
    let stream = Chunks::get(address, target, cursor).await?;
    if stream.status() == 200 { Ok(stream) } else { Err(std::io::Error::other("the answer is not 200")) }
}

/// The values of flags such as `--readers`, which take numbers; `None` if the command line is invalid.
#[must_use]
pub fn numbers<const N: usize>(
    arguments: impl IntoIterator<Item = String>,
    mut known: [(&str, f64); N],
) -> Option<(String, [f64; N])> {
    let mut arguments = arguments.into_iter();
    let application = arguments.next()?;
    while let Some(flag) = arguments.next() {
        let (_, value) = known.iter_mut().find(|(name, _)| *name == flag)?;
        *value = arguments.next()?.parse().ok()?;
    }
    Some((application, known.map(|(_, value)| value)))
}
