//! Features of a hub beyond resuming, in one small application on Axum.

mod board;
mod builds;
mod prices;
mod readers;

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{Html, Response},
    routing::{delete, get, post, put},
};
use sse_axum::{Hub, Result, SseRequest, browser::resumable_js, origin::OriginPolicy};

use board::Board;

/// The page of the board.
const PAGE: &str = include_str!("../page/index.html");

/// The state of every handler.
#[derive(Debug, Clone)]
struct App {
    hub: Hub,
    board: Board,
}

/// Returns the application's routes over this hub.
pub fn routes(hub: Hub) -> Router {
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/resumable.js", get(resumable_js))
        .route("/board", get(board::read).put(board::change))
        .route("/prices", get(prices::read))
        .route("/prices/{symbol}", post(prices::publish))
        .route("/builds/{name}", get(builds::read).post(builds::start).delete(builds::stop))
        .route("/topics/{topic}/readers", get(readers::list))
        .route("/readers/{id}", delete(readers::close))
        .route("/readers/{id}/topics", put(readers::set_topics))
        .layer(from_fn(same_origin))
        .with_state(App { hub, board: Board::default() })
}

/// Refuses pages of other sites, which could change data in the user's name; non-browser clients pass.
async fn same_origin(from: SseRequest, request: Request, next: Next) -> Result<Response> {
    OriginPolicy::same_origin().check(&from)?;
    Ok(next.run(request).await)
}
