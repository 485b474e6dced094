//! Server-sent events without a framework.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod adapter;
mod error;
mod history;
mod hub;
mod listen;
mod response;
mod resume;
mod shutdown;
mod waiters;
mod wire;

pub use error::Error;
pub use history::*;
pub use hub::{
    End, Hub, HubBuilder, Publish, PublishError, Publisher, Publishing, Receipt, Start, Stats, Subscribe,
    SubscribeError, Subscription,
};
pub use listen::listen;
pub use response::*;
pub use resume::*;
pub use shutdown::Shutdown;
pub use wire::*;

/// What the adapters' macros need; not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use futures_core::Stream;
    pub use http::StatusCode;
}
