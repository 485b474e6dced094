//! A PostgreSQL of our own, for examples that start what they need.

use std::{
    fs,
    io::{Error, ErrorKind},
    net::Ipv4Addr,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

/// Maximum time until the server accepts connections.
const PATIENCE: Duration = Duration::from_secs(30);

/// The user and group `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// A PostgreSQL on a free port, with its data in a temporary folder: both are removed when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    /// Starts an empty server. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// One line that states why it cannot be started, and what to do.
    pub async fn start() -> Result<Self, String> {
        let failed = |error: Error| match error.kind() {
            ErrorKind::NotFound => {
                format!("PostgreSQL cannot be started ({error}); install it: apt-get install -y postgresql")
            }
            _ => format!("PostgreSQL cannot be started: {error}"),
        };
        let folder = TempDir::new().map_err(failed)?;
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).map_err(failed)?;
        }
        let data = folder.path().join("data");
        let mut init = program("initdb");
        init.args(["-U", "admin", "-A", "trust", "--no-locale", "-E", "UTF8", "--no-sync", "-D"]).arg(&data);
        let made = init.status().map_err(failed)?;
        if !made.success() {
            return Err(format!("`initdb` ended ({made}); does it work by hand?"));
        }
        // The port is free now; if another program takes it first, the server reports that and ends.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        drop(listener);
        let mut command = program("postgres");
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        let mut server = command.spawn().map_err(failed)?;
        let began = Instant::now();
        // A server that is still starting accepts a connection and then rejects it.
        let mut ready = program("pg_isready");
        ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        while !ready.status().is_ok_and(|status| status.success()) {
            if let Ok(Some(status)) = server.try_wait() {
                return Err(format!("`postgres` ended at once ({status}); does it start by hand?"));
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("`postgres` does not answer within {PATIENCE:?}"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { server, port, _folder: folder })
    }

    /// The URL of the server's database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://admin@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A killed server would leave its children behind for a moment, and they would write into the folder.
        let quit = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        if !quit.is_ok_and(|quit| quit.success()) {
            drop(self.server.kill());
        }
        drop(self.server.wait());
    }
}

/// One of PostgreSQL's programs: Debian does not put them into the path.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path())));
    let path =
        numbered.max().map_or_else(|| PathBuf::from(name), |(_, folder)| folder.join("bin").join(name));
    let mut command = Command::new(path);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // In its own process group, so that Ctrl-C does not end it before the application has ended.
    command.process_group(0);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
