use bytes::Bytes;

use super::{Block, BlockChain, block::Crc};

/// RFC 1952 section 2.3.1: gzip, deflate, no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty last block.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// One reader's gzip stream: it stays valid, whatever blocks it receives.
///
/// A block that refers back is used only right after the block that it follows; otherwise the text is compressed
/// on its own.
#[derive(Debug)]
pub(crate) struct GzipStream {
    has_begun: bool,
    /// The CRC and the length of the bytes sent before the chain.
    settled: Crc,
    /// The last block sent, and the CRC of the bytes sent since the last block without a predecessor.
    chain: Option<(u64, Crc)>,
    /// The compressor of a stream that shares no blocks.
    own: Option<BlockChain>,
}

impl GzipStream {
    /// Makes a stream that receives blocks shared with other readers.
    pub(crate) fn of_shared() -> Self {
        Self { has_begun: false, settled: Crc::default(), chain: None, own: None }
    }

    /// Makes a stream for one reader, with its own compressor if there are not too many in the process.
    pub(crate) fn of_own() -> Self {
        Self { own: BlockChain::open(), ..Self::of_shared() }
    }

    /// Returns the last block sent: a block that refers back must follow it.
    pub(crate) fn last(&self) -> Option<u64> {
        self.chain.map(|(last, _)| last)
    }

    /// Returns the bytes to send for `plain`; `block` is its compressed form if other readers receive it too.
    pub(crate) fn push(&mut self, plain: &[u8], block: Option<Block>) -> Bytes {
        let last = self.last();
        let block = match (block, &mut self.own) {
            (Some(block), None) if block.can_follow(last) => block,
            (_, Some(own)) => own.block(plain),
            (_, None) => Block::alone(plain),
        };
        if block.follows().is_none() {
            self.settle();
        }
        self.chain = Some((block.id(), block.chain_crc()));
        if std::mem::replace(&mut self.has_begun, true) {
            return block.deflated().clone();
        }
        [&HEADER, &**block.deflated()].concat().into()
    }

    /// Returns the bytes for the last `plain` and the end of the stream: nothing may follow.
    pub(crate) fn finish(&mut self, plain: &[u8]) -> Bytes {
        let mut bytes = Vec::from(self.push(plain, None));
        self.settle();
        bytes.extend_from_slice(&LAST_BLOCK);
        bytes.extend_from_slice(&self.settled.crc.to_le_bytes());
        // The length modulo 2^32, as RFC 1952 requires.
        bytes.extend(self.settled.len.to_le_bytes().into_iter().take(4));
        self.own = None;
        bytes.into()
    }

    fn settle(&mut self) {
        if let Some((_, crc)) = self.chain.take() {
            self.settled = self.settled.and(crc);
        }
    }
}
