use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::deflater::{self, Deflater};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Deflated text that ends at a byte boundary, and the block after which it can be sent.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The block's id, unique in the process.
    id: u64,
    /// The block that a reader must have been sent right before, because this one refers back to that block or to
    /// its predecessors; `None` if it refers to nothing before it.
    follows: Option<u64>,
    deflated: Bytes,
    /// The CRC and the length of everything compressed since the last block without a predecessor, including that block and
    /// this one.
    chain_crc: Crc,
}

/// The CRC and the length of a gzip stream, or of a part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Crc {
    pub(super) crc: u32,
    pub(super) len: u64,
}

/// A compressor whose blocks follow each other.
#[derive(Debug)]
pub(crate) struct BlockChain {
    deflater: Deflater,
    last: Option<u64>,
    crc: Crc,
}

impl Block {
    /// Makes a block that can be sent after any other.
    pub(crate) fn alone(plain: &[u8]) -> Self {
        let deflated = deflater::alone(plain).into();
        Self { id: next_id(), follows: None, deflated, chain_crc: Crc::default().with(plain) }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn follows(&self) -> Option<u64> {
        self.follows
    }

    /// Returns whether the block can be sent to a reader whose last block was `last`.
    pub(crate) fn can_follow(&self, last: Option<u64>) -> bool {
        self.follows.is_none() || self.follows == last
    }

    pub(crate) fn deflated(&self) -> &Bytes {
        &self.deflated
    }

    pub(super) fn chain_crc(&self) -> Crc {
        self.chain_crc
    }
}

impl BlockChain {
    /// Starts a chain; `None` if there are too many in the process.
    pub(crate) fn open() -> Option<Self> {
        Some(Self { deflater: Deflater::open()?, last: None, crc: Crc::default() })
    }

    /// Returns the id of the newest block, if there is one.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Makes the next block independent of those before.
    pub(crate) fn restart(&mut self) {
        self.deflater.reset();
        self.last = None;
        self.crc = Crc::default();
    }

    /// Returns the next block.
    pub(crate) fn block(&mut self, plain: &[u8]) -> Block {
        let deflated = self.deflater.deflate(plain).into();
        self.crc = self.crc.with(plain);
        let id = next_id();
        let follows = self.last.replace(id);
        Block { id, follows, deflated, chain_crc: self.crc }
    }
}

impl Crc {
    /// Returns the check of these bytes followed by `plain`.
    pub(super) fn with(self, plain: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new_with_initial_len(self.crc, self.len);
        hasher.update(plain);
        Self { crc: hasher.finalize(), len: self.len + plain.len() as u64 }
    }

    /// Returns the check of these bytes followed by a part whose CRC is known.
    pub(super) fn and(self, part: Self) -> Self {
        let mut hasher = crc32fast::Hasher::new_with_initial_len(self.crc, self.len);
        hasher.combine(&crc32fast::Hasher::new_with_initial_len(part.crc, part.len));
        Self { crc: hasher.finalize(), len: self.len + part.len }
    }
}

fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}
