use std::{fmt, time::Duration};

use super::DecodeError;
use crate::wire::Message;

/// An item that a [`Decoder`](super::Decoder) finds in a stream, borrowed from the decoder or from the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A comment line without its colon and the following space, if [requested](super::Decoder::report_comments).
    Comment(&'a str),
    /// A field that the standard does not know, if [requested](super::Decoder::report_fields).
    Field {
        /// The name, never empty.
        name: &'a str,
        /// The value, empty if the line has no colon.
        value: &'a str,
    },
    /// A block without data set the last event id to this value. Nothing is dispatched, but a client moves its
    /// cursor.
    Id(&'a str),
    /// An event.
    Message(MessageRef<'a>),
    /// Data of an event that has not ended, if [requested](super::Decoder::report_parts).
    Part(&'a str),
    /// The stream set the delay before a reconnect. The delay applies at once, whether an event follows or not.
    ///
    /// Any number of milliseconds up to `u64::MAX`; a larger one becomes `u64::MAX`. A client sets its own limits.
    Retry(Duration),
    /// An event beyond the limits was left out, under [`Oversized::Skip`](super::Oversized::Skip).
    Skipped {
        /// The limit that it exceeded first.
        error: DecodeError,
        /// The last event id after the event: its own unless that was too long or absent, so that a client can
        /// move past it.
        last_event_id: &'a str,
    },
}

/// An event in the decoder's output, without a copy if the chunk contains it in one piece.
///
/// [`Message::from`](Message) makes an owned message of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MessageRef<'a> {
    /// The event's type; never empty.
    pub(super) event_type: &'a str,
    pub(super) data: &'a str,
    pub(super) last_event_id: &'a str,
}

impl<'a> MessageRef<'a> {
    /// Returns the event's type; `message` if the stream gave none.
    #[must_use]
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// Returns the data, its lines joined by LF.
    #[must_use]
    pub fn data(&self) -> &'a str {
        self.data
    }

    /// Returns the id of this event, or else that of the last event with an id; empty if there was none.
    #[must_use]
    pub fn last_event_id(&self) -> &'a str {
        self.last_event_id
    }
}

impl From<MessageRef<'_>> for Message {
    fn from(message: MessageRef<'_>) -> Self {
        Self::new(message.event_type(), message.data(), message.last_event_id())
    }
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRef")
            .field("event_type", &self.event_type)
            .field("data", &self.data)
            .field("last_event_id", &self.last_event_id)
            .finish()
    }
}
