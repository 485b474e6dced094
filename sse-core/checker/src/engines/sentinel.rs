use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use sse_testkit::free_port;

/// A real Sentinel that alone watches one primary; killed when it is dropped.
pub struct Sentinel {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Sentinel {
    /// Starts one that considers a primary down after half a second.
    ///
    /// # Panics
    /// If there is no `redis-server`.
    #[must_use]
    pub fn start(primary: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join("sentinel.conf");
        let port = free_port();
        let lines = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor watched 127.0.0.1 {primary} 1\n\
             sentinel down-after-milliseconds watched 500\nsentinel failover-timeout watched 2000\n",
            folder.path().display()
        );
        std::fs::write(&settings, lines).unwrap();
        let process = Command::new("redis-server")
            .arg(settings)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server; install it: apt-get install -y redis-server");
        Self { process, port, _folder: folder }
    }
}

impl Sentinel {
    /// Whether it has detected that this primary has a replica, and that both are healthy.
    #[must_use]
    pub fn watches(&self, primary: u16) -> bool {
        let answer = Command::new("redis-cli")
            .args(["-p", &self.port.to_string(), "INFO", "sentinel"])
            .output()
            .expect("redis-cli; install it: apt-get install -y redis-server");
        let expected = format!("status=ok,address=127.0.0.1:{primary},slaves=1");
        String::from_utf8_lossy(&answer.stdout).contains(&expected)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
