#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod error;
mod filters;
mod mount;
mod preflight;
mod request;
mod sse;
#[cfg(feature = "test")]
pub mod test;

pub use error::{Error, ErrorKind, Result};
pub use filters::{get, last_event_id, reply, sse_request};
pub use mount::{Mount, mount};
pub use preflight::{Preflight, preflight};
pub use request::{LastEventId, SseRequest};
pub use sse::Sse;
pub use sse_core::__api::*;
