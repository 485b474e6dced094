#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod error;
mod get;
mod listener;
mod mount;
mod preflight;
mod request;
mod sse;
#[cfg(feature = "test")]
pub mod test;

pub use error::{Error, ErrorKind, Result};
pub use get::get;
pub use listener::{Listener, listen};
pub use mount::{Mount, mount};
pub use preflight::{Preflight, Preflighted, preflight};
pub use request::{LastEventId, SseRequest};
pub use sse::Sse;
pub use sse_core::__api::*;
