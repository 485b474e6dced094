use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use sse_testkit::history_cases::wait_for;

/// A node: a process that serves readers and publishers. It is killed and restarted, each time at another address.
pub(super) struct Node {
    program: PathBuf,
    arguments: Mutex<Vec<String>>,
    /// Held for the whole of a kill or a start.
    process: tokio::sync::Mutex<Option<Child>>,
    address: Mutex<Option<SocketAddr>>,
}

impl Node {
    pub(super) fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            program,
            arguments: Mutex::new(arguments),
            process: tokio::sync::Mutex::default(),
            address: Mutex::default(),
        }
    }

    /// The address of the node, if it runs.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the node, runs `meanwhile` while it is down, and starts it again.
    pub(super) async fn away<T>(&self, meanwhile: impl AsyncFnOnce() -> T) -> T {
        let mut process = self.process.lock().await;
        self.place(None);
        if let Some(mut running) = process.take() {
            running.kill().await.expect("killed");
        }
        let done = meanwhile().await;
        *process = Some(self.start().await);
        done
    }

    /// Stops the node for good.
    pub(super) async fn stop(&self) {
        self.place(None);
        if let Some(mut running) = self.process.lock().await.take() {
            running.kill().await.expect("killed");
        }
    }

    /// Passes this flag with this value at every later start.
    pub(super) fn set(&self, flag: &str, value: &str) {
        let mut arguments = self.arguments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = arguments.iter().position(|argument| argument == flag) {
            arguments.drain(place..place + 2);
        }
        arguments.extend([flag.to_owned(), value.to_owned()]);
    }

    /// Starts the node, again and again while its engine is down.
    async fn start(&self) -> Child {
        let arguments = self.arguments.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let quiet = std::env::var_os("RUST_LOG").is_none();
        wait_for("a node listens", async {
            loop {
                let mut process = Command::new(&self.program)
                    .args(["--addr", "127.0.0.1:0"])
                    .args(&arguments)
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(if quiet { Stdio::null() } else { Stdio::inherit() })
                    .kill_on_drop(true)
                    .spawn()
                    .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
                let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
                if let Ok(Some(line)) = lines.next_line().await {
                    let address = line.strip_prefix("listening on http://").expect("the address");
                    self.place(Some(address.parse().expect("an address")));
                    return process;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        })
        .await
    }

    fn place(&self, address: Option<SocketAddr>) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}
