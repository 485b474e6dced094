//! A state that is a JSON document, with each change as a JSON patch (RFC 6902).

use std::{convert::Infallible, sync::Arc};

use axum::{Json, extract::State};
use serde_json::Value;
use sse_axum::{Cursor, Event, Result, Snapshot, Sse, SseRequest};
use tokio::sync::Mutex;

use crate::App;

/// The document, and the position of its last change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<(Value, Option<Cursor>)>>);

/// `GET /board`: sends a new reader, and a reader after a gap, the whole document as `board`; then the changes, as
/// `patch`.
pub(crate) async fn read(State(App { hub, board }): State<App>, request: SseRequest) -> Result {
    let snapshot = move |_| {
        let Board(board) = board.clone();
        async move {
            let (document, at) = &*board.lock().await;
            // With its position, because a patch must not be applied twice.
            Ok::<_, Infallible>(Snapshot::from(Event::json(document).event("board")).at(*at))
        }
    };
    // Pages behind a proxy that holds streams back poll.
    Ok(Sse::new(hub.subscribe("board").request(request).fallbacks().snapshot(snapshot).await?))
}

/// `PUT /board`: replaces the document.
pub(crate) async fn change(State(app): State<App>, Json(new): Json<Value>) -> Result<String> {
    // Locked while publishing, so that changes are published in the order in which they are made.
    let (document, at) = &mut *app.board.0.lock().await;
    let patch = json_patch::diff(document, &new);
    let receipt = app.hub.publish("board", Event::json(&patch).event("patch")).await?;
    (*document, *at) = (new, Some(receipt.cursor));
    Ok(receipt.cursor.to_string())
}
