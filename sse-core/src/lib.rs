//! Server-sent events without a framework: events, frames, decoding, resume, history, fan-out, responses.
//!
//! Most applications add one of the adapters, `sse-axum`, `sse-rocket`, `sse-warp` or `sse-poem`, which re-export all of
//! this. The standard is WHATWG HTML, section 9.2 "Server-sent events".
//!
//! # Crate layout
//! Each module depends only on the ones above it.
//!
//! | Module | Contents |
//! |---|---|
//! | wire | [`Event`], as a server defines it; [`Frame`], its checked, encoded form; [`Message`], as a client receives it; [`Decoder`] |
//! | resume | [`Cursor`] and [`Epoch`]; [`LastEventId`], read from a request; [`Resume`] and [`Gap`], the result; [`OriginPolicy`] |
//! | history | [`Topic`] and [`Pattern`]; [`History`], the trait of durable engines |
//! | hub | [`Hub`], the fan-out; [`Subscription`], one reader; [`Retention`], [`Start`], [`Receipt`] |
//! | response | [`EventStream`]: status, headers and body; [`KeepAlive`]; [`channel`]; [`Access`] and [`Permit`] of mounted routes |
//! | client | [`messages()`] of any stream of bytes; with the feature `client`, `EventSource`, which reconnects and resumes |
//!
//! Guides are in [`docs`]. Outside these layers, [`Shutdown`] ends streams, [`listen`] sets up a listener for
//! them, and [`Error`] is the union of errors. The feature `test` adds assertions for tests, and the feature
//! `metrics` counts what [operating](docs::operating) lists.
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
//!
//! Examples use `use sse_core::…`; with an adapter, write its name instead, such as `sse_axum`.
//!
//! # Where to find what
//! The page [`docs`] has a table from tasks to methods. The ones that are asked for most: [`Hub::run`] for an answer that outlives its
//! reader, [`Subscribe::start`] for where a new reader begins, [`Subscribe::snapshot`] for a state and what follows it,
//! [`Subscribe::limit`] for readers per user, [`Subscribe::lease`] for permission that ends, [`Hub::disconnect`] for logout, and
//! [applications](docs::applications) for adding streams to an application that exists.
//!
//! # Features
//! | Feature | Adds |
//! |---|---|
//! | `json` (on by default) | [`Event::json`], [`Event::json_data`], [`Message::json`]; serde and serde_json |
//! | `serde` | `Serialize` and `Deserialize` for [`Event`] and [`Message`] |
//! | `file` | `FileHistory`: a history in one file, for one process |
//! | `redis` | `RedisHistory`: a history in Redis Streams, for many processes |
//! | `nats` | `NatsHistory`: a history in NATS JetStream, for many processes |
//! | `postgres` | `PostgresHistory`: a history in PostgreSQL, in which the application's transactions publish: [postgres](docs::postgres) |
//! | `compress` | `EventStream::compress`: gzip for readers that accept it |
//! | `metrics` | counters, gauges and histograms for the crate `metrics`: [operating](docs::operating) |
//! | `client` | `EventSource`, the client, with HTTP by hyper and TLS by rustls: [client](docs::client) |
//! | `gzip` | compressed responses for the client, where it asks for them |
//! | `test` | assertions for tests, for `[dev-dependencies]`: [testing](docs::testing) |
//!
//! A feature adds names and never changes how the others behave.

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

/// Required by the adapters' macros; not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use futures_core::Stream;
    pub use http::StatusCode;

    pub use crate::response::{BodyError, MountRequest, MountResponse, Preflight, Routes, collect};
}
