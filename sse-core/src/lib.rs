//! Server-sent events without a framework: events, frames, decoding, resume, history, fan-out, responses.
//!
//! Most applications add one of the adapters, `sse-axum`, `sse-rocket`, `sse-warp` or `sse-poem`, which re-export all of
//! this. The standard is WHATWG HTML, section 9.2 "Server-sent events".
//!
//! # Map of the house
//! Each floor stands on those before it.
//!
//! | Floor | Holds |
//! |---|---|
//! | wire | [`Event`] what a server says; [`Frame`] its checked, encoded form; [`Message`] what a client is told; [`Decoder`] |
//! | resume | [`Cursor`] and [`Epoch`]; [`LastEventId`] what a request says; [`Resume`] and [`Gap`] what comes of it; [`OriginPolicy`] |
//! | history | [`Topic`] and [`Pattern`]; [`History`], the trait of durable engines |
//! | hub | [`Hub`] fan-out; [`Subscription`] one reader; [`Retention`], [`Start`], [`Receipt`] |
//! | response | [`EventStream`] status, headers and body; [`KeepAlive`]; [`channel`]; [`Access`] and [`Permit`] of mounted routes |
//! | client | [`messages()`] of any stream of bytes; with the feature `client`, `EventSource`, which reconnects and resumes |
//!
//! Longer prose stands in [`docs`]. Beside the stairs: [`Shutdown`] ends streams, [`listen`] sets up a listener for them, [`Error`] is the union of errors.
//! The feature `test` adds assertions for tests, the feature `metrics` counts what [operating](docs::operating) lists.
//!
//! # Publish and subscribe
//! ```
//! use sse_core::{Event, Hub, Start};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::memory();
//! let receipt = hub.publish("prices", Event::message("1.08").event("price")).await?;
//!
//! // A reader that has seen everything up to the receipt gets what comes after it.
//! hub.publish("prices", Event::message("1.09").event("price")).await?;
//! let mut reader = hub.subscribe("prices").after(receipt.cursor).await?;
//! let frame = reader.next().await.ok_or("ended")?;
//! assert!(frame.as_ref().starts_with(b"data: 1.09\nevent: price\nid: "));
//! # Ok(()) }
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod adapter;
mod client;
#[cfg(feature = "compress")]
mod compress;
pub mod docs;
mod error;
mod history;
mod hub;
mod listen;
mod metrics;
mod panic;
mod response;
mod resume;
mod shutdown;
#[cfg(feature = "test")]
pub mod test;
mod waiters;
mod weights;
mod wire;

// Inlined: the pages of the API would be hidden with the module otherwise.
#[doc(inline)]
pub use __api::*;

/// The public API, which the adapters export as their own: the crate's root without what only their macros need.
#[doc(hidden)]
pub mod __api {
    pub use crate::client::*;
    #[cfg(feature = "compress")]
    pub use crate::compress::AcceptEncoding;
    pub use crate::docs;
    pub use crate::error::Error;
    pub use crate::history::*;
    pub use crate::hub::{
        EndReason, EventView, Exclusive, Hub, HubBuilder, Lease, Publish, PublishError, Publisher,
        Publishing, ReaderHandle, Receipt, Run, RunError, Snapshot, SnapshotRequest, Start, Stats, Subscribe,
        SubscribeError, Subscription,
    };
    pub use crate::listen::{Listener, listen};
    pub use crate::response::{
        Access, AccessDenied, AccessKind, AccessRequest, Body, EventStream, IntoEventStream, KeepAlive,
        NoError, Permit, PublicRead, Receiver, SendError, Sender, StreamSummary, channel,
    };
    pub use crate::resume::*;
    pub use crate::shutdown::Shutdown;
    #[cfg(feature = "test")]
    pub use crate::test;
    pub use crate::wire::*;

    pub use crate::convert_errors;
}

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What the adapters' macros need; not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use futures_core::Stream;
    pub use http::StatusCode;

    pub use crate::response::{BodyError, MountRequest, MountResponse, Preflight, Routes, collect};
}
