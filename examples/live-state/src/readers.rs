//! The control endpoint. A real application checks first who may use it.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};
use sse_axum::{Pattern, Result};

use crate::App;

/// `GET /topics/TOPIC/readers`: lists the readers that would receive an event of the topic.
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

/// `DELETE /readers/ID`: closes the reader's stream; an `EventSource` reconnects.
pub(crate) async fn close(State(App { hub, .. }): State<App>, Path(id): Path<String>) -> StatusCode {
    let reader = hub.reader(&id);
    reader.map_or(StatusCode::NOT_FOUND, |reader| {
        reader.close();
        StatusCode::NO_CONTENT
    })
}

/// `PUT /readers/ID/topics`: replaces its topics on the same connection. The text is a topic, never a wildcard.
pub(crate) async fn set_topics(
    State(App { hub, .. }): State<App>,
    Path(id): Path<String>,
    Json(topics): Json<Vec<String>>,
) -> Result<StatusCode> {
    let Some(reader) = hub.reader(&id) else { return Ok(StatusCode::NOT_FOUND) };
    reader.set_topics(topics)?;
    Ok(StatusCode::NO_CONTENT)
}
