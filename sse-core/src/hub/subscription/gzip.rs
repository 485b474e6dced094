//! A reader whose response is compressed.

use std::sync::Arc;

use super::{poll::NoEvents, subscription::Subscription};
use crate::gzip::Block;
use crate::hub::{
    feeds::chunk::Chunk,
    feeds::gzip::GzipReader,
    feeds::gzip::lookup::{Found, Lookup, ReaderState},
    options::permission::FullAccess,
    window::ring::Evicted,
};

impl Subscription {
    /// Requests blocks shared with other readers, from now on.
    pub(crate) fn share_blocks(&mut self) {
        self.extras.get_or_insert_default().gzip = Some(Box::default());
    }

    /// Records which block was sent last; called before each poll.
    pub(crate) fn set_last_block(&mut self, last: Option<u64>) {
        if let Some(gzip) = self.gzip() {
            gzip.last = last;
        }
    }

    /// Returns the block of the chunk that was just given, if it has one.
    pub(crate) fn take_block(&mut self) -> Option<Block> {
        self.gzip()?.block.take()
    }

    /// Drops what was shared with the readers of its feed, which it leaves.
    pub(in crate::hub) fn leave_gzip(&mut self) {
        if let Some(gzip) = self.gzip() {
            *gzip = GzipReader { last: gzip.last, ..GzipReader::default() };
        }
    }

    /// Returns whether the reader takes blocks.
    pub(in crate::hub) fn shares_gzip(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.gzip.is_some())
    }

    /// Returns the next chunk, whose block [`take_block`](Self::take_block) returns; `None` if nothing was
    /// pending.
    pub(in crate::hub) fn poll_gzip(&mut self, access: FullAccess) -> Option<Result<Chunk, NoEvents>> {
        let last = self.gzip()?.last;
        let shared = match &self.gzip()?.shared {
            Some(shared) => Arc::clone(shared),
            None => {
                let shared = self.feed.lock().gzip.shared();
                self.gzip()?.shared.insert(shared).clone()
            }
        };
        let found = {
            let mut blocks = shared.lock();
            let found = {
                let feed = self.feed.lock();
                if self.check(&feed).is_err() {
                    return None;
                }
                let reader = ReaderState {
                    position: self.progress.position(),
                    ignored_evictions: self.ignored_evictions(),
                    signals_seen: self.signals_seen,
                    last,
                    access,
                };
                blocks.find(&feed.backlog, reader)
            };
            match found {
                Err(Evicted) => return Some(Err(NoEvents::Behind)),
                Ok(Found::Ready(found)) => found,
                // The feed's lock is free again, so that publishers do not wait for the compressor.
                Ok(Found::ToCompress(next)) => blocks.compress(next, last),
            }
        };
        let (chunk, block) = match found {
            Lookup::Nothing => return None,
            Lookup::Events(chunk, block) => (chunk, block),
            Lookup::Standalone(chunk, shares) => {
                let block = shared.standalone(&chunk, shares);
                (chunk, block)
            }
            Lookup::Signals(chunk, block) => {
                self.signals_seen = chunk.to;
                self.gzip()?.block = block;
                return Some(Ok(chunk));
            }
        };
        self.gzip()?.block = Some(block);
        self.progress.announce(chunk.to);
        self.move_to(chunk.to);
        Some(Ok(chunk))
    }

    fn gzip(&mut self) -> Option<&mut GzipReader> {
        self.extras.as_mut()?.gzip.as_deref_mut()
    }
}
