//! The client against servers of other languages: better-sse on Node, sse-starlette on Python, nginx with nchan.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures_util::StreamExt;
use sse_interop::servers::{COUNT, Chaos, Ledger, ODD, PER_CONNECTION, judge, misbehave, source};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the installed third-party servers.
fn tools() -> PathBuf {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the folder of builds");
    build.join("tools")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("servers").join(name)
}

/// Starts a server that prints its port; it is killed when it is dropped.
async fn start(runner: &str, name: &str) -> (Child, SocketAddr) {
    let runner = tools().join(runner);
    let mut command = Command::new(&runner);
    command.arg(script(name)).args([COUNT, PER_CONNECTION].map(|number| number.to_string()));
    command.arg(serde_json::to_string(&ODD).expect("JSON")).env("SSE_TOOLS", tools());
    let server = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
    let missing = "other people's servers are missing; install them with `.ci/interop/install`";
    let mut server = server.unwrap_or_else(|error| panic!("{}: {error}: {missing}", runner.display()));
    let mut line = String::new();
    let mut stdout = BufReader::new(server.stdout.take().expect("piped"));
    timeout(PATIENCE, stdout.read_line(&mut line)).await.expect("a port in time").expect("a line");
    let port = line.trim().parse().unwrap_or_else(|_| panic!("{name} says {line:?} for a port: {missing}"));
    (server, (Ipv4Addr::LOCALHOST, port).into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn better_sse() {
    let (_server, addr) = start("node/bin/node", "better-sse.mjs").await;
    // The server writes no space after the colon, so a leading space of the data is taken for it, and it leaves
    // lines to its serializer: with a plain-text serializer the second line is an unknown field.
    judge(addr, ["plain", "two", "", "leading", "trailing", "\u{2026} \u{1f600}"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sse_starlette() {
    let (_server, addr) = start("python/bin/python3", "sse-starlette.py").await;
    judge(addr, ["plain", "two\nlines", "", " leading", "trailing\n", "\u{2026} \u{1f600}"]).await;
}

/// nginx with nchan, in a folder of its own.
struct Nchan {
    addr: SocketAddr,
    _server: Child,
    _folder: TempDir,
}

impl Nchan {
    async fn start() -> Self {
        let install = "install nginx and nchan with `apt-get install nginx libnginx-mod-nchan`";
        let about = Command::new("nginx").arg("-V").output().await;
        let about = about.unwrap_or_else(|error| panic!("nginx cannot be started: {error}: {install}"));
        let about = String::from_utf8_lossy(&about.stderr).into_owned();
        let modules = about.split_whitespace().find_map(|word| word.strip_prefix("--modules-path="));
        let modules = modules.expect("nginx says where its modules are");
        assert!(Path::new(modules).join("ngx_nchan_module.so").exists(), "no nchan in {modules}: {install}");
        let folder = TempDir::new().expect("a folder");
        // The port is free now, and no other program asks for one in the meantime.
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = free.local_addr().expect("an address");
        drop(free);
        let config = std::fs::read_to_string(script("nchan.conf")).expect("its configuration");
        let config = config.replace("MODULES", modules).replace("PORT", &addr.port().to_string());
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, config).expect("written");
        let server = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(path)
            .kill_on_drop(true)
            .spawn()
            .expect("nginx starts");
        timeout(PATIENCE, async {
            while TcpStream::connect(addr).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("nginx listens");
        Self { addr, _server: server, _folder: folder }
    }

    /// Publishes numbers, each after the previous one was accepted.
    async fn publish(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let data = number.to_string();
            let head = "POST /publish HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-eventsource-event: number";
            let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{data}", data.len());
            let mut connection = TcpStream::connect(self.addr).await.expect("nginx listens");
            connection.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nchan() {
    const EVENTS: u64 = 1_000;

    let nchan = Nchan::start().await;
    nchan.publish(0..EVENTS / 2).await;
    let network = Chaos::start(nchan.addr).await.expect("a proxy");
    let publishing = async {
        nchan.publish(EVENTS / 2..EVENTS).await;
        std::future::pending().await
    };
    let mut source = source(network.addr, "numbers");
    let mut ledger = Ledger::default();
    let reading = async {
        while (ledger.len() as u64) < EVENTS {
            let message = source.next().await.expect("it never ends").expect("no error is final here");
            assert_eq!(message.event_type(), "number");
            ledger.enter(message.data());
        }
    };
    tokio::select! {
        read = timeout(PATIENCE, reading) => read.expect("it gets all"),
        never = misbehave(&network) => match never {},
        () = publishing => {}
    }
    println!("{EVENTS} events over {} connections", network.accepted());
    assert!(network.accepted() > 1, "no connection was cut");
    ledger.assert_whole(EVENTS);
}
