//! Shared compression: gzip streams whose blocks many readers share.
//!
//! A gzip stream is a header, deflated blocks, and a check of the encoded text. Blocks that end at a byte boundary
//! can be combined from several sources, as long as none refers back to bytes that this reader did not receive at
//! exactly that distance. [`Block`] carries the data to check that, [`GzipStream`] assembles one reader's stream and
//! rejects blocks that do not fit, and [`BlockChain`] makes blocks that follow each other.

mod block;
mod deflater;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use block::{Block, BlockChain};
pub(crate) use stream::GzipStream;
