//! Server-sent events without a framework: events, frames, decoding, resume, history, fan-out, responses.
//!
//! Most applications add one of the adapters, `sse-axum`, `sse-rocket`, `sse-warp` or `sse-poem`, which re-export all of
//! this. The standard is WHATWG HTML, section 9.2 "Server-sent events".
//!
//! # Where to find what
//! The root holds what most handlers need: [`Event`], [`Topic`], [`Hub`], [`Subscription`], [`EventStream`],
//! [`Shutdown`]. The rest stands in modules:
//!
//! | Module | Contents |
//! |---|---|
//! | [`channel`](mod@channel) | a stream whose sender is a task of the handler |
//! | [`history`] | the trait of durable engines, and the engines: a file, Redis, NATS, PostgreSQL |
//! | [`mount`] | permission of ready-made routes |
//! | [`origin`] | pages of other origins: CORS |
//! | [`browser`] | the module for pages: `ResumableSource` |
//! | [`listen`](mod@listen) | a listener that is set up for many long streams |
//! | [`error`] | the errors of handlers |
//! | [`decode`] | messages from bytes that the program reads itself |
//! | [`client`] | the client, with the feature `client`; the root has its `EventSource` |
//! | `test` | assertions for tests, with the feature `test` |
//! | [`docs`] | guides, and a table from tasks to methods |
//!
//! The methods that are asked for most: [`Hub::start_run`] for an answer that outlives its reader,
//! [`Subscribe::start`] for where a new reader begins, [`Subscribe::snapshot`] for a state and what follows it,
//! [`Subscribe::limit`] for readers per user, [`Subscribe::lease`] for permission that ends, [`Hub::disconnect`] for
//! logout, and [applications](docs::applications) for adding streams to an application that exists.
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
//! # Features
//! | Feature | Adds |
//! |---|---|
//! | `json` (on by default) | [`Event::json`], [`Event::json_data`], [`Message::json`](decode::Message::json); serde and serde_json |
//! | `serde` | `Serialize` and `Deserialize` for [`Event`] and [`Message`](decode::Message) |
//! | `file` | `FileHistory`: a history in one file, for one process |
//! | `redis` | `RedisHistory`: a history in Redis Streams, for many processes |
//! | `nats` | `NatsHistory`: a history in NATS JetStream, for many processes |
//! | `postgres` | `PostgresHistory`: a history in PostgreSQL, in which the application's transactions publish: [postgres](docs::postgres) |
//! | `compress` | `EventStream::compress`: gzip for readers that accept it |
//! | `fallbacks` | `Subscribe::fallbacks`: long polling and JSON lines for clients that cannot read event streams: [fallbacks](docs::fallbacks) |
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
pub mod browser;
pub mod channel;
pub mod client;
pub mod decode;
pub mod docs;
pub mod error;
#[cfg(feature = "compress")]
mod gzip;
pub mod history;
mod hub;
pub mod listen;
mod metrics;
pub mod mount;
pub mod origin;
mod panic;
mod request;
mod response;
mod resume;
mod shutdown;
#[cfg(feature = "test")]
pub mod test;
mod waiters;
mod wire;

#[doc(inline)]
pub use channel::channel;
#[doc(inline)]
pub use listen::listen;
pub use response::Body;
// Inlined: the pages of the API would be hidden with the module otherwise.
#[doc(inline)]
pub use __api::*;

/// The public API, which the adapters export as their own: the crate's root without what only their macros need.
#[doc(hidden)]
pub mod __api {
    #[cfg(feature = "client")]
    pub use crate::client::event_source::EventSource;
    pub use crate::error::Error;
    pub use crate::history::{
        retention::Retention,
        topic::{Pattern, Topic},
        topic_list::{IntoPatterns, IntoTopics},
    };
    pub use crate::hub::{
        EndReason, EventView, Exclusive, Hub, HubBuilder, Lease, Publish, Publisher, ReaderHandle, Receipt,
        Run, Snapshot, SnapshotRequest, Start, Stats, Subscribe, Subscription,
    };
    pub use crate::request::{AcceptEncoding, LastEventId, SseRequest};
    pub use crate::response::{EventStream, IntoEventStream, KeepAlive, StreamSummary};
    pub use crate::resume::{Cursor, Gap, GapReason, Resume};
    pub use crate::shutdown::Shutdown;
    pub use crate::wire::{Event, EventId, EventType, Frame, IntoEventId, IntoFrame};

    pub use crate::convert_errors;
    // The modules, under their own names.
    #[cfg(feature = "test")]
    pub use crate::test;
    pub use crate::{browser, channel, client, decode, docs, error, history, listen, mount, origin};
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
