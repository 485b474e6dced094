//! The control endpoint. A real one asks first who may use it.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};
use sse_axum::{Pattern, Result};

use crate::App;

/// `GET /topics/TOPIC/readers`: who would be told what is published there.
pub(crate) async fn list(
    State(App { hub, .. }): State<App>,
    Path(topic): Path<String>,
) -> Result<Json<Value>> {
    let readers = hub.readers(topic)?;
    let readers = readers.iter().map(|reader| {
        let topics: Vec<_> = reader.topics().iter().map(Pattern::to_string).collect();
        json!({ "id": reader.id(), "topics": topics, "lag": reader.lag() })
    });
    Ok(Json(readers.collect()))
}

/// `DELETE /readers/ID`: sends it away; an `EventSource` comes back.
pub(crate) async fn close(State(App { hub, .. }): State<App>, Path(id): Path<String>) -> StatusCode {
    let reader = hub.reader(&id);
    reader.map_or(StatusCode::NOT_FOUND, |reader| {
        reader.close();
        StatusCode::NO_CONTENT
    })
}

/// `PUT /readers/ID/topics`: what it reads from now on, on the same connection. Text is a topic, never a wildcard.
pub(crate) async fn set_topics(
    State(App { hub, .. }): State<App>,
    Path(id): Path<String>,
    Json(topics): Json<Vec<String>>,
) -> Result<StatusCode> {
    let Some(reader) = hub.reader(&id) else { return Ok(StatusCode::NOT_FOUND) };
    reader.set_topics(topics)?;
    Ok(StatusCode::NO_CONTENT)
}
