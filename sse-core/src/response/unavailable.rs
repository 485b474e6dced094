//! A refusal for clients that are no `EventSource`: 503, and when to come back.

use std::time::Duration;

use http::HeaderValue;

use super::{body::jittered, written::BodyFormat};
use crate::{error::error_json, hub::EndReason};

/// The whole seconds after which to come back, jittered as a `retry` is.
pub(super) fn retry_after(retry: Duration) -> HeaderValue {
    HeaderValue::from(jittered(retry).div_ceil(1_000))
}

/// The body: `{"error":"…"}`.
pub(super) fn answer(end: &EndReason) -> BodyFormat {
    let message = match end {
        EndReason::Error(_) => "server: it failed to answer; try again later",
        EndReason::Expired => "subscribe: the permission has ended; ask for it again",
        EndReason::Limit => {
            "subscribe: there are as many readers as are allowed; come back later, or close another"
        }
        EndReason::Occupied => "subscribe: another reader has this place; come back when it has left",
        EndReason::Shutdown => "subscribe: the server shuts down; come back",
        _ => "subscribe: the history does not answer; come back later",
    };
    BodyFormat::Text(error_json(message).into())
}
