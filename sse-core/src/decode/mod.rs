//! Decoding: messages from bytes, without a connection.
//!
//! [`messages()`] reads any stream of bytes, such as the body of a response; [`Decoder`] takes chunks by hand, for
//! programs that do their own I/O. Both follow the standard's section 9.2.6 to the letter.

mod messages;

#[cfg(feature = "json")]
pub use crate::wire::InvalidJson;
pub use crate::wire::{DecodeError, Decoder, Item, Limits, Message, MessageRef, Messages, Oversized};
pub use messages::{MessageStream, MessagesError, MessagesExt, messages};
