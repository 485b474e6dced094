//! The example application on Poem. All four have the same functions in the same order, so `diff -r` between two of
//! them shows how the adapters differ.

mod extract;
mod routes;

use std::io;

use example_common::App;
use poem::Server;

/// Serves until the shutdown has ended.
///
/// # Errors
/// If the application cannot listen on the address.
pub async fn serve(app: App) -> io::Result<()> {
    let listener = sse_poem::listen(app.options.addr, app.options.keep_alive)?;
    app.listening(listener.local_addr()?);
    let routes = routes::routes(app.clone());
    let server = Server::new(listener);
    // Without Poem's own time limit, which would cut streams that end at the window's end: `serve` is the limit.
    let server = server.run_with_graceful_shutdown(routes, app.shutdown.clone(), None);
    app.shutdown.serve(server).await.unwrap_or(Ok(()))
}
