//! Run `cargo run -p example-orders` and open the address that it prints. It starts its own PostgreSQL and removes it
//! at exit; `cargo run -p example-orders -- postgres://user@host/database` uses yours.

use std::{env, error::Error, time::Duration};

use example_common::Postgres;
use sse_axum::{Hub, PostgresHistory, Shutdown, listen};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let shutdown = Shutdown::within(Duration::from_secs(5)).on_signals();
    let mut own = None;
    let url = match env::args().nth(1) {
        Some(url) => url,
        None => own.insert(Postgres::start().await?).url(),
    };
    let history = PostgresHistory::connect(&url, "sse").await?;
    let hub = Hub::builder().shutdown(shutdown.clone()).open(history).await?;
    let routes = example_orders::open(hub, &url).await?;
    let listener = listen(([127, 0, 0, 1], port()), Duration::from_secs(15))?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = axum::serve(listener, routes).with_graceful_shutdown(shutdown.clone());
    shutdown.serve(server).await.unwrap_or(Ok(()))?;
    Ok(())
}

/// The port from the environment, for tests; 3000 otherwise.
fn port() -> u16 {
    env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000)
}
