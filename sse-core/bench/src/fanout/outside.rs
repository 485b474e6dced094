//! Peers that are not Rust crates and must be installed: how they are started, and how events are published to nchan.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::process::PATIENCE;
use crate::{Failure, servers::text};

/// Where their configuration is.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// The command that runs better-sse.
pub(super) fn better_sse() -> Result<Command, Failure> {
    if !Path::new(PEERS).join("node_modules/better-sse").exists() {
        return Err(format!("better-sse is not installed: run `npm install` in {PEERS}").into());
    }
    let mut command = Command::new("node");
    command.arg("better-sse.mjs").current_dir(PEERS);
    Ok(command)
}

/// nginx with nchan, in a folder of its own.
pub(super) struct Nchan {
    folder: PathBuf,
    connection: TcpStream,
    /// How many requests to publish are not answered yet.
    waiting: usize,
}

impl Nchan {
    pub(super) fn start() -> Result<(Child, SocketAddr, Self), Failure> {
        let folder = std::env::temp_dir().join(format!("sse-bench-nchan-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        // Free now, and no other process asks for one meanwhile.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let template = fs::read_to_string(Path::new(PEERS).join("nchan.conf"))?;
        let config = folder.join("nginx.conf");
        fs::write(
            &config,
            template.replace("MODULES", &modules()?).replace("PORT", &address.port().to_string()),
        )?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("nginx cannot be started; install nginx and its module nchan: {error}")
            })?;
        let connection = connected(address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok((child, address, Self { folder, connection, waiting: 0 }))
    }

    /// Publishes this number of events, one request each, all at once.
    pub(super) fn ask(&mut self, events: usize) -> Result<(), Failure> {
        let data = text();
        let request = format!(
            "POST /publish HTTP/1.1\r\nhost: localhost\r\nx-eventsource-event: price\r\ncontent-length: {}\r\n\r\n{data}",
            data.len()
        );
        self.connection.write_all(request.repeat(events).as_bytes())?;
        self.waiting += events;
        Ok(())
    }

    /// Waits until all were taken.
    pub(super) fn answered(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; 64 << 10];
        let mut rest = Vec::new();
        while self.waiting > 0 {
            let len = self.connection.read(&mut buffer)?;
            if len == 0 {
                return Err("nchan closed the publisher's connection".into());
            }
            rest.extend_from_slice(buffer.get(..len).unwrap_or_default());
            let answers = memchr::memmem::find_iter(&rest, b"HTTP/1.1 20").count();
            if answers >= self.waiting {
                self.waiting = 0;
            }
        }
        Ok(())
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        // Files left in the system's folder for temporary files do no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder in which nginx reports its modules.
fn modules() -> Result<String, Failure> {
    let about = Command::new("nginx").arg("-V").output();
    let about = about.map_err(|error| format!("install nginx and its module nchan: {error}"))?;
    let about = String::from_utf8_lossy(&about.stderr).into_owned();
    let folder = about.split_whitespace().find_map(|word| word.strip_prefix("--modules-path="));
    Ok(folder.ok_or("nginx does not say where its modules are")?.to_owned())
}

/// Connects as soon as the server listens.
fn connected(address: SocketAddr) -> Result<TcpStream, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(connection) => return Ok(connection),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => std::thread::yield_now(),
        }
    }
}
