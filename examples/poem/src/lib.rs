//! The example application on Poem. The same functions stand in the same order in all four, so `diff -r` between two of
//! them shows what an adapter looks like.

mod extract;
mod routes;

use std::io;

use example_common::App;
use poem::Server;

/// Serves until the shutdown has ended.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(app: App) -> io::Result<()> {
    let listener = sse_poem::listen(app.options.addr, app.options.keep_alive)?;
    app.listening(listener.local_addr()?);
    let routes = routes::routes(app.clone());
    let server = Server::new(listener);
    // Without a time limit of Poem's own, which would cut what ends at the window's end: `serve` is the limit.
    let server = server.run_with_graceful_shutdown(routes, app.shutdown.clone(), None);
    app.shutdown.serve(server).await.unwrap_or(Ok(()))
}
