#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod browser;
pub mod error;
mod last_event_id;
pub mod mount;
pub mod origin;
mod sse;
#[cfg(feature = "test")]
pub mod test;

pub use error::{Error, ErrorKind, Result};
pub use last_event_id::LastEventId;
pub use mount::mount;
pub use sse::Sse;
pub use sse_core::__api::*;
