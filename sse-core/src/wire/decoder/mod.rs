//! Decodes bytes to messages, as section 9.2.6 of the HTML standard specifies.

mod block;
#[allow(clippy::module_inception)] // The folder's main type.
mod decoder;
mod field;
mod item;
mod limits;
mod messages;
mod open_line;
mod read;
mod scan;
mod step;
#[cfg(test)]
mod tests;
mod text;

pub use decoder::Decoder;
pub use item::{Item, MessageRef};
pub use limits::{DecodeError, Limits, Oversized};
pub use messages::Messages;
