//! A small shop: `example-orders [--addr 127.0.0.1:3000] [--database URL]`.
//!
//! Without a URL the program starts its own PostgreSQL, and removes it at exit.

use std::{env, error::Error, net::SocketAddr, process::ExitCode, time::Duration};

use example_common::Postgres;
use sse_axum::{Hub, Shutdown, history::PostgresHistory, listen};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("example-orders: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (mut addr, mut database) = ("127.0.0.1:3000".to_owned(), None);
    let mut arguments = env::args().skip(1);
    while let (Some(flag), value) = (arguments.next(), arguments.next()) {
        match (&*flag, value) {
            ("--addr", Some(value)) => addr = value,
            ("--database", Some(value)) => database = Some(value),
            _ => return Err(format!("{flag}: use --addr ADDRESS or --database URL").into()),
        }
    }
    let shutdown = Shutdown::within(Duration::from_secs(5)).on_signals();
    let mut own = None;
    let url = match database {
        Some(url) => url,
        None => own.insert(Postgres::start().await?).url(),
    };
    let history = PostgresHistory::connect(&url, "sse").await?;
    let hub = Hub::builder().shutdown(shutdown.clone()).open(history).await?;
    let routes = example_orders::open(hub, &url).await?;
    let addr: SocketAddr = addr
        .parse()
        .map_err(|_| format!("--addr: `{addr}` is not an address; write it as 127.0.0.1:3000"))?;
    let listener = listen(addr, Duration::from_secs(15))?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = axum::serve(listener, routes).with_graceful_shutdown(shutdown.clone());
    shutdown.serve(server).await.unwrap_or(Ok(()))?;
    Ok(())
}
