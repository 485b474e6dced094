//! The response: what is sent to a reader, with status, headers and body. The only server floor that knows HTTP.

mod body;
mod channel;
mod endings;
mod event_stream;
mod json_lines;
mod keep_alive;
mod no_error;
mod page;
mod request;
mod source;
mod unavailable;
mod written;

pub use body::Body;
pub use channel::{Receiver, SendError, Sender, channel};
pub use event_stream::{Ended, EventStream, IntoEventStream};
pub use keep_alive::KeepAlive;
pub use no_error::NoError;
