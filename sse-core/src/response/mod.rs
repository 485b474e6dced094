//! Responses to readers, with status, headers and body. The only server layer that knows HTTP.

mod alive;
mod body;
mod channel;
#[cfg(feature = "compress")]
mod compressed;
mod endings;
mod event_stream;
mod json_lines;
mod keep_alive;
mod mount;
mod no_error;
mod options;
mod page;
mod request;
mod source;
mod span;
mod unavailable;
mod vary;
mod written;

pub use body::Body;
pub use channel::{Receiver, SendError, Sender, channel};
pub use event_stream::{EventStream, IntoEventStream, StreamSummary};
pub use keep_alive::KeepAlive;
pub use mount::{Access, AccessDenied, AccessKind, AccessRequest, Permit, PublicRead};
pub use no_error::NoError;

pub(crate) use vary::vary;

#[doc(hidden)]
pub use mount::{BodyError, MountRequest, MountResponse, Preflight, Routes, collect};
