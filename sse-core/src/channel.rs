//! A channel whose receiver is an event stream, for a handler that starts a task and answers with what it sends.
//!
//! See [`channel()`].

pub use crate::response::{Receiver, SendError, Sender, channel};
