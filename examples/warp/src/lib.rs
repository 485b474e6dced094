//! The example application on Warp. The same functions stand in the same order in all four, so `diff -r` between two of
//! them shows what an adapter looks like.

mod extract;
mod routes;

use std::io;

use example_common::App;

/// Serves until the shutdown has ended.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(app: App) -> io::Result<()> {
    let listener = sse_warp::listen(app.options.addr, app.options.keep_alive)?;
    app.listening(listener.local_addr()?);
    let routes = routes::routes(app.clone());
    let server = warp::serve(routes).incoming(listener).graceful(app.shutdown.clone()).run();
    app.shutdown.serve(server).await;
    Ok(())
}
