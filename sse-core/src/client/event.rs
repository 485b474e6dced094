use std::time::Duration;

use http::{HeaderMap, Uri};

use super::Disconnect;
use crate::{
    resume::Gap,
    wire::{DecodeError, Message},
};

/// What happens to a client, for those who want to see more than messages; see [`Events`](super::Events).
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server sent a comment.
    Comment(String),
    /// The cursor moved without a message: an event without data, or a hub's checkpoint.
    Cursor(String),
    /// A connection ended, or a try failed. If the client gives up for good, the stream ends after this, or with an
    /// error instead of it.
    Disconnected {
        /// Why.
        cause: Disconnect,
        /// How long the client waits now; `None` if it is not going to reconnect.
        retry_in: Option<Duration>,
    },
    /// A hub says that events before this place are gone: the first event after a resume that was not exact.
    Gap {
        /// What is missing and where it goes on.
        gap: Gap,
        /// The message that says so, of type `sse.gap`.
        message: Message,
    },
    /// A message.
    Message(Message),
    /// The server answered with a stream of events.
    Open(OpenedResponse),
    /// Data of an event that has not ended, if [asked for](super::EventSourceBuilder::parts). The event's message has
    /// the rest; if the connection is lost before it, the parts are void, and the event comes again from its start.
    Part(String),
    /// The server set the time to wait before a reconnect.
    Retry(Duration),
    /// An event beyond the limits was left out, and the cursor moved past it.
    Skipped {
        /// Which limit it exceeded.
        error: DecodeError,
        /// The cursor after it.
        last_event_id: String,
    },
}

/// The response that opened a stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenedResponse {
    /// The address that answered, after all redirects.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
}
