use crate::{error::error_json, hub::EndReason};

/// Returns the body of a refusal for clients that are not an `EventSource`: `{"error":"…"}`.
pub(super) fn text(end: &EndReason) -> String {
    error_json(match end {
        EndReason::Error(_) => "server: it failed to answer; try again later",
        EndReason::Expired => "subscribe: the permission has ended; ask for it again",
        EndReason::Limit => {
            "subscribe: there are as many readers as are allowed; come back later, or close another"
        }
        EndReason::Occupied => "subscribe: another reader has this place; come back when it has left",
        EndReason::Shutdown => "subscribe: the server shuts down; come back",
        _ => "subscribe: the history does not answer; come back later",
    })
}
