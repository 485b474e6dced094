//! Responses to readers: status, headers and body.

mod body;
mod channel;
mod event_stream;
#[cfg(feature = "fallbacks")]
mod fallback;
#[cfg(feature = "compress")]
mod gzip;
mod head;
mod headers;
mod keep_alive;
mod mount;
mod no_error;
mod source;
mod stream;
mod unavailable;

pub use body::Body;
pub use channel::{Receiver, SendError, Sender, channel};
pub use event_stream::{EventStream, IntoEventStream};
pub use keep_alive::KeepAlive;
pub use mount::{Access, AccessDenied, AccessKind, AccessRequest, Permit, PublicRead};
pub use no_error::NoError;
pub use stream::StreamSummary;

pub(crate) use headers::vary;

#[doc(hidden)]
pub use mount::{BodyError, MountRequest, MountResponse, Preflight, Routes, collect};
