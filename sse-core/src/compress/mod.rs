//! Compression once for all: gzip streams whose blocks many readers share.
//!
//! A gzip stream is a header, deflated blocks, and a check of the text that they encode. Blocks that end at a byte's boundary
//! can be put together from several sources, as long as none refers back to bytes that this reader was not sent at just
//! that distance. [`Block`] carries what is needed to know that, [`Member`] puts one reader's stream together and refuses
//! what does not fit, and [`Run`] makes blocks that follow each other.

mod accept;
mod block;
mod deflater;
mod member;
#[cfg(test)]
pub(crate) mod tests;

pub use accept::AcceptEncoding;
pub(crate) use block::{Block, Run};
pub(crate) use member::Member;
