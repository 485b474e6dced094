//! Two nodes on two frameworks over one engine, and a balancer in front of them.
//!
//! `example-cluster [--history redis|nats|postgres|redis:URL|nats:URL|postgres:URL|file:PATH] [--addr 127.0.0.1:3000]`, and the other
//! flags of the example applications. Without a URL, the program starts its own server and ends it at exit.

mod engine;
mod front;

use std::{env, io::Write, process::ExitCode};

use example_common::{App, History, Options, command_line, log_to_stderr, refused};
use front::Node;
use sse_core::history::FileHistory;
use tokio::net::TcpListener;

/// The program's name in its messages.
const PROGRAM: &str = "cluster";

#[tokio::main]
async fn main() -> ExitCode {
    let (arguments, _engine) = match engine::start_if_asked(env::args().skip(1)).await {
        Ok(started) => started,
        Err(error) => return refused(PROGRAM, &error),
    };
    let options = match command_line(PROGRAM, arguments) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    log_to_stderr();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(PROGRAM, &error),
    }
}

/// Serves until the shutdown has ended.
async fn run(options: Options) -> Result<(), String> {
    let listener =
        TcpListener::bind(options.addr).await.map_err(|error| format!("{}: {error}", options.addr))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let [axum, warp] = open(options).await?;
    // The parent may have closed stdout; the error does not matter. Clients that connect now wait for the nodes.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    // One of them measures the machine; both send the metrics.
    tokio::spawn(axum.clone().publish_metrics());
    let shutdown = axum.shutdown.clone();
    let on_axum = tokio::spawn(example_axum::serve(axum.clone()));
    let on_warp = tokio::spawn(example_warp::serve(warp.clone()));
    let nodes = [axum, warp];
    let mut served = Vec::new();
    for node in &nodes {
        let name = node.options.node.clone().unwrap_or_default();
        served.extend(node.address().await.map(|address| Node { name, address }));
    }
    front::serve(listener, served, shutdown).await;
    for server in [on_axum, on_warp] {
        server.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Opens two nodes over the engine: each with its own connection, as two processes have. A file is the exception:
/// only one process at a time can open it.
async fn open(options: Options) -> Result<[App; 2], String> {
    let nodes = ["axum", "warp"].map(str::to_owned);
    let of = |node: usize| Options {
        addr: ([127, 0, 0, 1], 0).into(),
        node: nodes.get(node).cloned(),
        nodes: nodes.to_vec(),
        ..options.clone()
    };
    let [axum, warp] = match &options.history {
        History::Memory => {
            return Err(
                "--history: memory is of one node; write redis, nats, postgres or file:PATH".to_owned()
            );
        }
        History::File(path) => {
            let history = FileHistory::open(path).map_err(|error| format!("--history: {error}"))?;
            [App::over(history.clone(), "axum", of(0)).await?, App::over(history, "warp", of(1)).await?]
        }
        History::Redis(_) | History::Nats(_) | History::Postgres(_) => {
            [App::open("axum", of(0)).await?, App::open("warp", of(1)).await?]
        }
    };
    Ok([axum.saying("a node on Axum:"), warp.saying("a node on Warp:")])
}
