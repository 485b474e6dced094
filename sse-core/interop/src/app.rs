use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use sse_testkit::{Exchange, Failed, Outcome, Request};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::PATIENCE;

/// An example application as a separate process; it is killed when this is dropped.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    process: Child,
    terminated_at: Option<Instant>,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

/// How a process ended.
#[derive(Debug)]
pub struct StreamSummary {
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    /// Everything that the process wrote to stdout.
    pub stdout: String,
    /// Everything that the process wrote to stderr.
    pub stderr: String,
    /// How long the process took to end, from SIGTERM if that was sent.
    pub took: Duration,
}

impl App {
    /// Starts it on a free port and waits until it reports that it listens.
    ///
    /// # Errors
    /// If it does not report that in time.
    pub async fn start(program: &str, flags: &[&str]) -> Outcome<Self> {
        Self::start_at(program, "127.0.0.1:0", flags).await
    }

    /// Starts it at this address and waits until it reports that it listens.
    ///
    /// # Errors
    /// If it does not report that in time.
    pub async fn start_at(program: &str, addr: &str, flags: &[&str]) -> Outcome<Self> {
        Self::begin(Command::new(program).args(["--addr", addr]).args(flags)).await
    }

    /// Starts it on a free port, with at most this many open files, and waits until it reports that it listens.
    ///
    /// # Errors
    /// If it does not report that in time.
    pub async fn start_with_files(program: &str, max_files: usize, flags: &[&str]) -> Outcome<Self> {
        Self::start_limited(program, &format!("ulimit -n {max_files}"), flags).await
    }

    /// Starts it on a free port with a limit on the size of files, in blocks of 512 bytes: a write beyond it fails
    /// as on a full disk.
    ///
    /// # Errors
    /// If it does not report that in time.
    pub async fn start_on_full_disk(program: &str, blocks: usize, flags: &[&str]) -> Outcome<Self> {
        Self::start_limited(program, &format!("trap '' XFSZ && ulimit -f {blocks}"), flags).await
    }

    async fn start_limited(program: &str, limit: &str, flags: &[&str]) -> Outcome<Self> {
        let script = format!("{limit} && exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        Self::begin(command.args(["-c", &script, program, "--addr", "127.0.0.1:0"]).args(flags)).await
    }

    async fn begin(command: &mut Command) -> Outcome<Self> {
        let mut process = spawn(command)?;
        let stderr = read_all(process.stderr.take(), String::new());
        let mut stdout = BufReader::new(process.stdout.take().ok_or_else(|| Failed::new("no stdout"))?);
        let mut line = String::new();
        timeout(PATIENCE, stdout.read_line(&mut line)).await??;
        let Some(address) = line.trim_end().strip_prefix("listening on http://") else {
            let stderr = stderr.await?;
            return Err(Failed::new(format!(
                "{command:?} said `{line}` instead of where it listens\n{stderr}"
            )));
        };
        let address = address.parse()?;
        Ok(Self { address, process, terminated_at: None, stdout: read_all(Some(stdout), line), stderr })
    }

    /// Runs it to its end with these arguments.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn run(program: &str, arguments: &[&str]) -> Outcome<StreamSummary> {
        let began_at = Instant::now();
        let mut process = spawn(Command::new(program).args(arguments))?;
        let stdout = read_all(process.stdout.take(), String::new());
        let stderr = read_all(process.stderr.take(), String::new());
        let status = timeout(PATIENCE, process.wait()).await??;
        let took = began_at.elapsed();
        Ok(StreamSummary { code: status.code(), stdout: stdout.await?, stderr: stderr.await?, took })
    }

    /// The address of the application.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request on a connection of its own and waits for the response head.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn send(&self, request: Request) -> Outcome<Exchange> {
        Exchange::send(self.address, request, PATIENCE).await
    }

    /// Opens a stream: its first line has arrived, so every event published from now on reaches it.
    ///
    /// # Errors
    /// If the response is not 200.
    pub async fn stream(&self, request: Request) -> Outcome<Exchange> {
        let mut stream = self.send(request).await?;
        if stream.status() != 200 {
            return Err(Failed::new(format!("{} instead of 200", stream.head())));
        }
        stream.until_text("retry: ").await?;
        Ok(stream)
    }

    /// Sends a request and reads the JSON that is the whole response.
    ///
    /// # Errors
    /// If the status differs, or the body is not JSON.
    pub async fn json(&self, status: u16, request: Request) -> Outcome<Value> {
        Self::json_at(self.address, status, request).await
    }

    async fn json_at(address: SocketAddr, status: u16, request: Request) -> Outcome<Value> {
        let target = request.target().to_owned();
        let mut answer = Exchange::send(address, request, PATIENCE).await?;
        answer.to_end().await?;
        let is_json = answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        match serde_json::from_slice(answer.body()) {
            Ok(json) if is_json && answer.status() == status => Ok(json),
            _ => {
                let (head, body) = (answer.head(), answer.text());
                Err(Failed::new(format!("{target}: not {status} and JSON:\n{head}\n{body:.2000}")))
            }
        }
    }

    /// Publishes a text to a topic and returns its id.
    ///
    /// # Errors
    /// If the application refuses it.
    pub async fn publish(&self, topic: &str, data: &str) -> Outcome<String> {
        Self::publish_at(self.address, topic, data).await
    }

    /// Publishes a text to a topic of the application at this address and returns its id.
    ///
    /// # Errors
    /// If the application refuses it.
    pub(crate) async fn publish_at(address: SocketAddr, topic: &str, data: &str) -> Outcome<String> {
        let request = Request::post(format!("/publish?topic={topic}"), data);
        let published = Self::json_at(address, 200, request).await?;
        let id = published.get("id").and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| Failed::new(format!("no id in {published}")))
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// If the process has already ended.
    pub async fn terminate(&mut self) -> Outcome {
        self.signal("TERM").await
    }

    /// Sends a signal that ends a process, such as `INT`.
    ///
    /// # Errors
    /// If the process has already ended.
    pub async fn signal(&mut self, name: &str) -> Outcome {
        let id = self.id()?;
        self.terminated_at = Some(Instant::now());
        let kill = Command::new("sh").arg("-c").arg(format!("kill -{name} {id}")).status().await?;
        if kill.success() { Ok(()) } else { Err(Failed::new(format!("SIG{name} was not sent"))) }
    }

    /// The id of the process.
    ///
    /// # Errors
    /// If the process has already ended.
    pub fn id(&self) -> Outcome<u32> {
        self.process.id().ok_or_else(|| Failed::new("it has ended already"))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn ended(mut self) -> Outcome<StreamSummary> {
        let began_at = self.terminated_at.unwrap_or_else(Instant::now);
        let status = timeout(PATIENCE, self.process.wait()).await;
        let status = status.map_err(|_| Failed::new("the process does not end"))??;
        let took = began_at.elapsed();
        Ok(StreamSummary {
            code: status.code(),
            stdout: self.stdout.await?,
            stderr: self.stderr.await?,
            took,
        })
    }

    /// Kills it, like a crash.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub async fn kill(mut self) -> Outcome {
        self.process.kill().await?;
        Ok(())
    }
}

/// Starts a process whose output is read, and which does not outlive its test.
pub(crate) fn spawn(command: &mut Command) -> Outcome<Child> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command.kill_on_drop(true).spawn()?)
}

/// Reads to the end, so that the process never waits for space in its pipe.
pub(crate) fn read_all(
    from: Option<impl tokio::io::AsyncRead + Unpin + Send + 'static>,
    mut text: String,
) -> JoinHandle<String> {
    tokio::spawn(async move {
        if let Some(mut from) = from {
            let mut bytes = Vec::new();
            // Data read before an error count.
            let _ = from.read_to_end(&mut bytes).await;
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        text
    })
}
