use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};
use sse_testkit::{Exchange, Failed, Outcome, Request};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    Engine, PATIENCE,
    app::{read_all, spawn},
};

/// How often a page is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A browser's driver as a process of its own, by which tests hold its hand: <https://www.w3.org/TR/webdriver2/>.
#[derive(Debug)]
pub struct Driver {
    address: SocketAddr,
    /// The group of processes that the driver and its browser are.
    group: Option<u32>,
    // Kept, because dropping it ends the process, and dropping its output's reader would stop it.
    _process: Child,
    _output: JoinHandle<String>,
}

impl Driver {
    /// Starts the driver on a free port.
    ///
    /// # Errors
    /// If it is not installed; the message says how to install it.
    pub async fn start(engine: Engine) -> Outcome<Self> {
        let program = engine.driver();
        let mut process = spawn(Command::new(program).args(engine.driver_arguments()).process_group(0))
            .map_err(|error| {
                Failed::new(format!("{program}: {error:?}; install it by `{}`", engine.install()))
            })?;
        let stdout = process.stdout.take().ok_or_else(|| Failed::new("no stdout"))?;
        let mut lines = BufReader::new(stdout);
        let port = timeout(PATIENCE, async {
            loop {
                let mut line = String::new();
                if lines.read_line(&mut line).await? == 0 {
                    return Err(Failed::new(format!("{program} ended before it listened")));
                }
                if let Some(port) = engine.port_in(&line) {
                    return Ok(port);
                }
            }
        });
        let port = port.await??;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self {
            address,
            group: process.id(),
            _process: process,
            _output: read_all(Some(lines), String::new()),
        })
    }

    async fn call(&self, request: Request) -> Outcome<Value> {
        let mut answer = Exchange::send(self.address, request, PATIENCE).await?;
        answer.to_end().await?;
        let mut body: Value = serde_json::from_slice(answer.body())?;
        let value = body.get_mut("value").map(Value::take).unwrap_or_default();
        if answer.status() == 200 {
            return Ok(value);
        }
        let message = value.get("message").and_then(Value::as_str).unwrap_or("no message");
        Err(Failed::new(format!("the browser's driver: {message}")))
    }
}

/// Ends what is left of the browser as well: a page that lives on would go on reconnecting, to whoever listens there next.
impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let group = format!("-{group}");
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &group]).status();
        }
    }
}

/// One window of a browser; it is closed when this is dropped.
#[derive(Debug)]
pub struct Session {
    path: String,
    driver: Driver,
}

impl Session {
    /// Opens a browser's window.
    ///
    /// # Errors
    /// If the browser does not start.
    pub async fn open(engine: Engine) -> Outcome<Self> {
        let driver = Driver::start(engine).await?;
        let wanted = json!({ "capabilities": { "alwaysMatch": engine.capabilities() } });
        let session = driver.call(Request::post("/session", wanted.to_string())).await?;
        let id = session.get("sessionId").and_then(Value::as_str);
        let id = id.ok_or_else(|| Failed::new(format!("no session in {session}")))?;
        Ok(Self { path: format!("/session/{id}"), driver })
    }

    /// Goes to this address and waits until the page has loaded.
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub async fn go(&self, url: &str) -> Outcome {
        self.post("url", json!({ "url": url })).await?;
        Ok(())
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// If it throws.
    pub async fn value(&self, expression: &str) -> Outcome<Value> {
        self.post("execute/sync", json!({ "script": format!("return {expression}"), "args": [] })).await
    }

    /// Waits until an expression in the page is true.
    ///
    /// # Errors
    /// If it is not in time; the message shows what the page shows.
    pub async fn until(&self, expression: &str) -> Outcome {
        let waited = timeout(PATIENCE, async {
            while self.value(expression).await?.as_bool() != Some(true) {
                sleep(LOOK_AGAIN).await;
            }
            Ok(())
        });
        match waited.await {
            Ok(done) => done,
            Err(_) => {
                let shown = self.value("document.body.innerText").await?;
                let shown = shown.as_str().unwrap_or_default();
                Err(Failed::new(format!("waited in vain for {expression}; the page shows:\n{shown}")))
            }
        }
    }

    /// Clicks the element with this id, as a user does.
    ///
    /// # Errors
    /// If there is none, or it cannot be clicked.
    pub async fn click(&self, id: &str) -> Outcome {
        let element = self.element(id).await?;
        self.post(&format!("element/{element}/click"), json!({})).await?;
        Ok(())
    }

    /// Types into the element with this id, in place of what it held.
    ///
    /// # Errors
    /// If there is none, or it takes no text.
    pub async fn type_into(&self, id: &str, text: &str) -> Outcome {
        let element = self.element(id).await?;
        self.post(&format!("element/{element}/clear"), json!({})).await?;
        self.post(&format!("element/{element}/value"), json!({ "text": text })).await?;
        Ok(())
    }

    async fn element(&self, id: &str) -> Outcome<String> {
        let found =
            self.post("element", json!({ "using": "css selector", "value": format!("#{id}") })).await?;
        let element = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        element.map(str::to_owned).ok_or_else(|| Failed::new(format!("no element #{id}")))
    }

    async fn post(&self, command: &str, body: Value) -> Outcome<Value> {
        self.driver.call(Request::post(format!("{}/{command}", self.path), body.to_string())).await
    }
}

/// Ends the browser: killing its driver would leave it running.
impl Drop for Session {
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect(self.driver.address) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let (path, host) = (&self.path, self.driver.address);
        let request = format!("DELETE {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(request.as_bytes()).is_ok() {
            // The answer comes when the browser has ended.
            let _ = stream.read(&mut [0; 64]);
        }
    }
}
