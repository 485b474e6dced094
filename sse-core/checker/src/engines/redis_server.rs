use std::{
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::folder::{copy_folder, restore_folder};
use sse_testkit::free_port;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A real `redis-server` on a free port, with its data in a temporary folder; killed when it is dropped.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts one that syncs every write, with these additional options.
    ///
    /// # Panics
    /// If there is no `redis-server`: the message names the command that installs it.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut server = Self { folder, port: free_port(), options, process: None };
        server.revive();
        server
    }

    /// The port of the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The data folder of the server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the server at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Suspends the server without ending it: it answers nothing, and does not see what happens in the meantime.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Resumes a suspended server.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status().unwrap();
        assert!(sent.success(), "{signal}: {sent}");
    }

    /// Starts the server again on the same port, with its data.
    pub fn revive(&mut self) {
        let started = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(self.folder.path())
            .args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .args(["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"])
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn();
        let process = started.unwrap_or_else(|error| {
            panic!("redis-server does not start ({error}); install it: apt-get install -y redis-server")
        });
        self.process = Some(process);
        let began = Instant::now();
        while !self.answers() {
            let exited = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            assert!(exited.is_none(), "redis-server ended: {exited:?}");
            assert!(began.elapsed() < PATIENCE, "redis-server does not answer within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the server again with other options than before.
    pub fn revive_with(&mut self, options: &[&str]) {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
        self.revive();
    }

    /// Copies the files of a killed server.
    #[must_use]
    pub fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        copy_folder(self.folder.path(), copy.path());
        copy
    }

    /// Replaces the files of a killed server with a copy.
    pub fn restore(&self, copy: &TempDir) {
        restore_folder(copy.path(), self.folder.path());
    }

    /// The server's answer to a command, as text.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn ask(&self, command: &[&str]) -> String {
        let answer = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(command)
            .output()
            .expect("redis-cli; install it: apt-get install -y redis-server");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && ["PONG", "NOAUTH Authentication required."].contains(&&*self.ask(&["PING"]))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
