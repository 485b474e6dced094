//! A refusal for clients that are not an `EventSource`: 503, with the time after which to retry.

use std::time::Duration;

use http::HeaderValue;

use super::{body::jittered, written::BodyFormat};
use crate::{error::error_json, hub::EndReason};

/// Returns the retry delay in whole seconds, jittered in the same way as a `retry`.
pub(super) fn retry_after(retry: Duration) -> HeaderValue {
    HeaderValue::from(jittered(retry).div_ceil(1_000))
}

/// Returns the body: `{"error":"…"}`.
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
