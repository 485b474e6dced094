use std::time::Duration;

use http::{HeaderMap, Uri};

use super::Disconnect;
use crate::{
    resume::Gap,
    wire::{DecodeError, Message},
};

/// An event of a client, for applications that need more than messages; see [`Events`](super::Events).
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server sent a comment.
    Comment(String),
    /// The cursor moved without a message: an event without data, or a hub's checkpoint.
    Cursor(String),
    /// A connection ended, or a try failed. If the client stops for good, the stream ends after this, or with
    /// an error in its place.
    Disconnected {
        /// The reason.
        cause: Disconnect,
        /// How long the client waits now; `None` if it will not reconnect.
        retry_in: Option<Duration>,
    },
    /// A hub reports that events before this position are lost: the first event after a resume that was not
    /// exact.
    Gap {
        /// The missing events, and the position where the stream continues.
        gap: Gap,
        /// The message that reported it, of type `sse.gap`.
        message: Message,
    },
    /// A message.
    Message(Message),
    /// The server responded with an event stream.
    Open(OpenedResponse),
    /// Data of an event that has not ended, if [enabled](super::EventSourceBuilder::parts). The event's message
    /// has the rest. If the connection is lost before that, the parts are void, and the event comes again from
    /// its start.
    Part(String),
    /// The server set the reconnect delay.
    Retry(Duration),
    /// An event beyond the limits was skipped, and the cursor moved past it.
    Skipped {
        /// The limit that the event exceeded.
        error: DecodeError,
        /// The cursor after the event.
        last_event_id: String,
    },
}

/// The response that opened a stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenedResponse {
    /// The address that responded, after all redirects.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
}
