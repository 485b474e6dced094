use std::{
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use sse_testkit::free_port;
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The user and group `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// How to install a server, for the message when there is none.
const INSTALL: &str = "PostgreSQL cannot be started; install it: apt-get install -y postgresql";

/// The settings of every server: durable, and small.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=16MB",
    "max_connections=60",
    "logging_collector=off",
    "wal_level=logical",
    "min_wal_size=2MB",
    // A server that was killed starts four times as fast: otherwise it syncs each of its files.
    "recovery_init_sync_method=syncfs",
];

/// A real PostgreSQL on a free port, with its data in a temporary folder; killed when it is dropped.
pub struct PostgresServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts an empty one.
    ///
    /// # Panics
    /// If there is no PostgreSQL: the message names the command that installs it.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts an empty one with these further settings, as `work_mem=1MB`.
    ///
    /// # Panics
    /// As [`start`](PostgresServer::start).
    pub async fn start_with(options: &[&str]) -> Self {
        let mut server = Self::new(options);
        copy(template(), &server.data());
        server.revive().await;
        server
    }

    /// Starts a replica of this server, with these further settings.
    ///
    /// # Panics
    /// As [`start`](PostgresServer::start).
    pub async fn replica(&self, options: &[&str]) -> Self {
        let mut replica = Self::new(options);
        replica.follow(self).await;
        replica
    }

    fn new(options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self { folder: folder(), port: free_port(), options, process: None }
    }

    /// Replaces the data of a killed server with a copy of `primary`'s, and follows it.
    ///
    /// # Panics
    /// If it cannot be copied or started.
    pub async fn follow(&mut self, primary: &Self) {
        std::fs::remove_dir_all(self.data()).ok();
        let address = format!("host=127.0.0.1 port={} user=admin", primary.port);
        let mut copy = program("pg_basebackup");
        copy.args(["-R", "--no-sync", "-c", "fast", "-d", &address, "-D"]).arg(self.data());
        run(&mut copy);
        self.revive().await;
    }

    /// The port of the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the server's database.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The URL of the server's database, reached through another port.
    #[must_use]
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://admin@127.0.0.1:{port}/postgres")
    }

    /// Ends the server at once with all its processes, without a checkpoint: it has to recover, as after `kill -9`.
    ///
    /// # Panics
    /// If it cannot be ended.
    pub fn kill(&mut self) {
        self.end("-QUIT");
    }

    /// Stops the server as an administrator does: with a checkpoint, and without waiting for clients.
    ///
    /// # Panics
    /// If it cannot be stopped.
    pub fn stop(&mut self) {
        self.end("-INT");
    }

    fn end(&mut self, with: &str) {
        if let Some(mut process) = self.process.take() {
            signal(with, process.id());
            process.wait().unwrap();
        }
    }

    /// Ends one of the server's processes by `kill -9`: the server then ends all others and recovers.
    ///
    /// # Panics
    /// If there is no such process.
    pub fn kill_backend(&self, pid: u32) {
        signal("-KILL", pid);
    }

    /// Starts the server again on the same port, with its data.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn revive(&mut self) {
        let began = Instant::now();
        self.process = Some(self.spawn());
        // A server that is still recovering accepts a connection and then rejects it.
        while !self.answers().await {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not answer within {PATIENCE:?}");
            let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            assert!(ended.is_none(), "PostgreSQL ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn spawn(&self) -> Child {
        let mut command = program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in SETTINGS.iter().copied().chain(self.options.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.spawn().unwrap_or_else(|error| panic!("{INSTALL} ({error})"))
    }

    async fn answers(&self) -> bool {
        let config = self.config();
        matches!(tokio::time::timeout(PATIENCE, config.connect(NoTls)).await, Ok(Ok(_)))
    }

    fn config(&self) -> Config {
        self.url().parse().unwrap()
    }

    /// Opens a connection.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn client(&self) -> Client {
        let (client, connection) = self.config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The server's answer to statements: each row, its columns separated by `|`.
    ///
    /// # Panics
    /// If the server rejects a statement.
    pub async fn ask(&self, sql: &str) -> Vec<String> {
        let client = self.client().await;
        let answers = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let row = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                let columns: Vec<&str> = (0..row.len()).map(|at| row.get(at).unwrap_or("")).collect();
                Some(columns.join("|"))
            }
            _ => None,
        };
        answers.into_iter().filter_map(row).collect()
    }

    /// Waits until a server that recovers answers.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn is_back(&self) {
        let began = Instant::now();
        // At first it may not have noticed yet.
        tokio::time::sleep(Duration::from_millis(100)).await;
        while !self.answers().await {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not answer within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Copies the files of a killed server.
    #[must_use]
    pub fn copy(&self) -> TempDir {
        let copied = folder();
        copy(&self.data(), &copied.path().join("data"));
        copied
    }

    /// Replaces the files of a killed server with a copy.
    ///
    /// # Panics
    /// If the files cannot be replaced.
    pub fn restore(&self, copied: &TempDir) {
        std::fs::remove_dir_all(self.data()).unwrap();
        copy(&copied.path().join("data"), &self.data());
    }

    /// Runs one of PostgreSQL's programs on the server's database, and returns its output.
    ///
    /// # Panics
    /// If the program fails.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let mut tool = program(name);
        tool.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "admin"]).args(arguments);
        let output = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A new cluster, made once for each test program and then copied.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, data) = TEMPLATE.get_or_init(|| {
        let folder = folder();
        let data = folder.path().join("data");
        let mut init = program("initdb");
        init.args([
            "-U",
            "admin",
            "-A",
            "trust",
            "--no-locale",
            "-E",
            "UTF8",
            "--no-sync",
            "--wal-segsize=1",
        ]);
        run(init.arg("-D").arg(&data));
        (folder, data)
    });
    data
}

/// A temporary folder of the user that runs the server.
pub(super) fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    if is_root() {
        std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    run(as_nobody(Command::new("cp").arg("-a").arg(from).arg(to)));
}

fn signal(signal: &str, pid: u32) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(sent.success(), "{signal} {pid}: {sent}");
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{INSTALL} ({error})"));
    assert!(status.success(), "{command:?}: {status}");
}

/// One of PostgreSQL's programs: Debian does not put them into the path.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path())))
        .max();
    let path = newest.map_or_else(|| name.into(), |(_, folder)| folder.join("bin").join(name));
    let mut command = Command::new(path);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    as_nobody(&mut command);
    command
}

pub(super) fn as_nobody(command: &mut Command) -> &mut Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
