use std::{
    process::Child,
    time::{Duration, Instant},
};

use sse_testkit::free_port;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{
    PostgresServer,
    postgres_server::{as_nobody, folder},
};

/// How long the pooler may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A real PgBouncer in transaction mode, in front of a PostgreSQL; killed when it is dropped.
pub struct PgBouncer {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one in front of this server.
    ///
    /// # Panics
    /// If there is no `pgbouncer`: the message names the command that installs it.
    pub async fn to(server: &PostgresServer) -> Self {
        let (folder, port) = (folder(), free_port());
        let settings = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=admin\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = any\npool_mode = transaction\nunix_socket_dir =\n",
            server.port(),
        );
        std::fs::write(&settings, text).unwrap();
        let path = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .into_iter()
            .find(|path| std::fs::exists(path).is_ok_and(|is| is));
        let mut command = std::process::Command::new(path.unwrap_or("pgbouncer"));
        command
            .arg("-q")
            .arg(&settings)
            .current_dir("/")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let process = as_nobody(&mut command).spawn().unwrap_or_else(|error| {
            panic!("pgbouncer cannot be started ({error}); install it: apt-get install -y pgbouncer")
        });
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "pgbouncer does not listen within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { port, process, _folder: folder }
    }

    /// The port of the pooler.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
