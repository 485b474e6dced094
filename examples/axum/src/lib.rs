//! The example application on Axum. All four have the same functions in the same order, so `diff -r` between two of
//! them shows how the adapters differ.

mod extract;
mod routes;

use std::io;

use example_common::App;

/// Serves until the shutdown has ended.
///
/// # Errors
/// If the application cannot listen on the address.
pub async fn serve(app: App) -> io::Result<()> {
    let listener = sse_axum::listen(app.options.addr, app.options.keep_alive)?;
    app.listening(listener.local_addr()?);
    let routes = routes::routes(app.clone());
    let server = axum::serve(listener, routes).with_graceful_shutdown(app.shutdown.clone());
    app.shutdown.serve(server).await.unwrap_or(Ok(()))
}
