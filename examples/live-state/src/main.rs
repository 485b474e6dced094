//! Run `cargo run -p example-live-state`, then the commands of `examples/README.md`.

use std::{io, time::Duration};

use sse_axum::{Hub, Shutdown, listen};

#[tokio::main]
async fn main() -> io::Result<()> {
    let shutdown = Shutdown::within(Duration::from_secs(10)).on_signals();
    let hub = Hub::builder().shutdown(shutdown.clone()).memory();
    let listener = listen(([127, 0, 0, 1], 3000), Duration::from_secs(15))?;
    let server =
        axum::serve(listener, example_live_state::routes(hub)).with_graceful_shutdown(shutdown.clone());
    println!("listening on http://127.0.0.1:3000");
    shutdown.serve(server).await.unwrap_or(Ok(()))
}
