//! Run `cargo run -p example-live-state [-- --addr ADDRESS]`, then open the page, or use the commands of
//! `examples/README.md`.

use std::{env, io, time::Duration};

use sse_axum::{Hub, Shutdown, listen};

#[tokio::main]
async fn main() -> io::Result<()> {
    let given = env::args().skip_while(|argument| argument != "--addr").nth(1);
    let address = given.as_deref().unwrap_or("127.0.0.1:3000").parse();
    let address: std::net::SocketAddr = address.map_err(io::Error::other)?;
    let shutdown = Shutdown::within(Duration::from_secs(10)).on_signals();
    let hub = Hub::builder().shutdown(shutdown.clone()).memory();
    let listener = listen(address, Duration::from_secs(15))?;
    println!("listening on http://{}", listener.local_addr()?);
    let server =
        axum::serve(listener, example_live_state::routes(hub)).with_graceful_shutdown(shutdown.clone());
    shutdown.serve(server).await.unwrap_or(Ok(()))
}
