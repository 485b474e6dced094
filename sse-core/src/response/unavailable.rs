//! A refusal for clients that are no `EventSource`: 503, and when to come back.

use std::time::Duration;

use http::HeaderValue;

use super::{body::jittered, written::Written};
use crate::{error::error_json, hub::End};

/// The whole seconds after which to come back, jittered as a `retry` is.
pub(super) fn retry_after(retry: Duration) -> HeaderValue {
    HeaderValue::from(jittered(retry).div_ceil(1_000))
}

/// The body: `{"error":"…"}`.
pub(super) fn answer(end: &End) -> Written {
    let message = match end {
        End::Error(_) => "server: it failed to answer; try again later",
        End::Expired => "subscribe: the permission has ended; ask for it again",
        End::Limit => {
            "subscribe: there are as many readers as are allowed; come back later, or close another"
        }
        End::Occupied => "subscribe: another reader has this place; come back when it has left",
        End::Shutdown => "subscribe: the server shuts down; come back",
        _ => "subscribe: the history does not answer; come back later",
    };
    Written::Text(error_json(message).into())
}
