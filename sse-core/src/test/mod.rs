//! Assertions for tests of event streams: feature `test`, for `[dev-dependencies]`.
//!
//! A [`TestStream`] reads a response as a page would and reports what is wrong when something else comes. Each
//! adapter has `get_stream`, `post_stream` and `request_stream`, which send a request to an application of its
//! framework without a socket. A [`Proxy`] cuts real connections.
//! Time is Tokio's, so its paused clock makes keep-alives, leases and ages pass at once. See
//! [`docs::testing`](crate::docs::testing).
//!
//! Failed assertions panic, on purpose.

mod assertions;
mod proxy;
mod stream;

pub use proxy::Proxy;
pub use stream::TestStream;

/// Required by the adapters' assertions.
#[doc(hidden)]
#[track_caller]
#[allow(clippy::panic, reason = "a failed assertion panics")]
#[must_use]
pub fn parse_uri(uri: &str) -> http::Uri {
    uri.parse().unwrap_or_else(|error| panic!("{uri:?} is no address: {error}"))
}
