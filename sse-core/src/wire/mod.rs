//! The wire format: encoding and decoding, without I/O, clock or HTTP.
//!
//! [`Event`] is the builder of a server, [`Frame`] its checked and encoded form, [`Message`] what a client
//! receives, and [`Decoder`] turns bytes into messages.

mod decoder;
mod draft;
mod event;
mod event_id;
#[cfg(feature = "serde")]
mod event_serde;
mod event_type;
mod frame;
mod invalid_event;
mod line;
mod message;
mod retry;

pub use decoder::{DecodeError, Decoder, Item, Limits, MessageRef, Messages, Oversized};
pub use event::Event;
pub use event_id::{EventId, IntoEventId, InvalidEventId};
pub use event_type::{EventType, InvalidEventType};
pub use frame::{Frame, IntoFrame};
pub use invalid_event::InvalidEvent;
#[cfg(feature = "json")]
pub use message::InvalidJson;
pub use message::Message;

pub(crate) use line::write_lines;
pub(crate) use retry::{MAX_RETRY, jittered, limited, write_retry};
