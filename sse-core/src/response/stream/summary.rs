use std::time::Duration;

use crate::hub::EndReason;

/// Reports how a stream ended and what was sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamSummary {
    /// The reason.
    pub end: EndReason,
    /// The number of events handed to the server, including checkpoints and the hub's other notices.
    pub events: u64,
    /// The number of bytes handed to the server, in the form in which they are sent.
    pub bytes: u64,
    /// The duration of the stream.
    pub lasted: Duration,
}
