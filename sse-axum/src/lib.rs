#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod browser;
pub mod error;
pub mod mount;
pub mod origin;
mod request;
mod sse;
#[cfg(feature = "test")]
pub mod test;

pub use error::{Error, ErrorKind, Result};
pub use mount::mount;
pub use request::{LastEventId, SseRequest};
pub use sse::Sse;
pub use sse_core::__api::*;
