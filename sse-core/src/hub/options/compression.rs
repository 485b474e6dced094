//! A reader whose response is compressed.

use std::sync::Arc;

use super::permission::FullAccess;
use crate::gzip::Block;
use crate::hub::{
    Subscription,
    feeds::chunk::Chunk,
    feeds::feed::Evicted,
    feeds::gzip::{Lookup, ReaderState, SharedGzip},
    subscription::poll::NoEvents,
};

/// The state of a reader whose response is compressed.
#[derive(Default)]
pub(crate) struct GzipReader {
    /// The last block that the reader was sent.
    last: Option<u64>,
    /// What the reader shares with the others of its feed, once it has polled.
    blocks: Option<Arc<SharedGzip>>,
    /// The block of the chunk that the reader was just given.
    block: Option<Block>,
}

impl Subscription {
    /// Requests blocks shared with other readers, from now on.
    pub(crate) fn share_blocks(&mut self) {
        self.extras.get_or_insert_default().sharing = Some(Box::default());
    }

    /// Records which block was sent last; called before each poll.
    pub(crate) fn set_last_block(&mut self, last: Option<u64>) {
        if let Some(sharing) = self.sharing() {
            sharing.last = last;
        }
    }

    /// Returns the block of the chunk that was just given, if it has one.
    pub(crate) fn take_block(&mut self) -> Option<Block> {
        self.sharing()?.block.take()
    }

    /// Drops what was shared with the readers of its feed, which it leaves.
    pub(in crate::hub) fn leave_blocks(&mut self) {
        if let Some(sharing) = self.sharing() {
            *sharing = GzipReader { last: sharing.last, ..GzipReader::default() };
        }
    }

    /// Returns whether the reader takes blocks.
    pub(in crate::hub) fn shares_blocks(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.sharing.is_some())
    }

    /// Returns the next chunk with its block; `None` if nothing was pending.
    pub(in crate::hub) fn poll_gzip(&mut self, access: FullAccess) -> Option<Result<Chunk, NoEvents>> {
        let feed = Arc::clone(&self.feed);
        let last = self.sharing()?.last;
        let blocks = match &self.sharing()?.blocks {
            Some(blocks) => Arc::clone(blocks),
            None => {
                let blocks = feed.lock().blocks();
                self.sharing()?.blocks.insert(blocks).clone()
            }
        };
        let found = {
            let mut blocks = blocks.lock();
            let feed = feed.lock();
            if self.check(&feed).is_err() {
                return None;
            }
            let (position, signals_seen) = (self.position, self.signals_seen);
            blocks.find(
                feed,
                ReaderState {
                    position,
                    ignored_evictions: self.ignored_evictions(),
                    signals_seen,
                    last,
                    access,
                },
            )
        };
        let (chunk, block) = match found {
            Err(Evicted) => return Some(Err(NoEvents::Behind)),
            Ok(Lookup::Nothing) => return None,
            Ok(Lookup::Events(chunk, block)) => (chunk, block),
            Ok(Lookup::Alone(chunk, shares)) => {
                let block = blocks.alone(&chunk, shares);
                (chunk, block)
            }
            Ok(Lookup::Signals(chunk, block)) => {
                self.signals_seen = chunk.to;
                self.sharing()?.block = block;
                return Some(Ok(chunk));
            }
        };
        self.sharing()?.block = Some(block);
        self.announced = Some(chunk.to);
        self.move_to(chunk.to);
        Some(Ok(chunk))
    }

    fn sharing(&mut self) -> Option<&mut GzipReader> {
        self.extras.as_mut()?.sharing.as_deref_mut()
    }
}
