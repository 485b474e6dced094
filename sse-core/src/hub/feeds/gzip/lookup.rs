//! Which block a reader gets next.

use std::sync::Arc;

use super::{SharedBlock, SharedGzipInner};
use crate::gzip::Block;
use crate::hub::{
    feeds::backlog::Backlog,
    feeds::chunk::{CHUNK_BYTES, Chunk},
    options::permission::FullAccess,
    window::ring::{Evicted, TopicRing},
};

/// The state of the reader that asks.
#[derive(Clone, Copy)]
pub(crate) struct ReaderState<'a> {
    pub(crate) position: u64,
    pub(crate) ignored_evictions: &'a [u64],
    pub(crate) signals_seen: u64,
    /// The last block that the reader was sent.
    pub(crate) last: Option<u64>,
    /// A filtered reader shares no blocks with others.
    pub(crate) access: FullAccess,
}

/// What a reader gets next.
pub(crate) enum Lookup {
    Events(Chunk, Block),
    /// Events that need a standalone block, and whether other readers may get the same block.
    Standalone(Chunk, bool),
    /// Signals; `None` means that they need a standalone block.
    Signals(Chunk, Option<Block>),
    Nothing,
}

/// The result of a look at the blocks and the feed.
pub(crate) enum Found {
    Ready(Lookup),
    /// The reader is the first at its position: release the feed's lock, and compress this.
    ToCompress(ToCompress),
}

/// What no block contains yet.
pub(crate) struct ToCompress {
    kind: Kind,
    /// The position of the chunk's first frame.
    first: u64,
    chunk: Chunk,
    /// Whether the standalone block of this chunk may be shared.
    shares: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Events,
    Signals,
}

impl SharedGzipInner {
    /// Finds what comes next for a reader of this feed.
    pub(crate) fn find(&mut self, feed: &Backlog, reader: ReaderState<'_>) -> Result<Found, Evicted> {
        if self.generation != feed.generation() {
            *self = Self { generation: feed.generation(), ..Self::default() };
        }
        let ReaderState { position, ignored_evictions, last, access, .. } = reader;
        if feed.last <= position {
            return Ok(self.find_signals(feed, reader));
        }
        feed.check_after(position, ignored_evictions)?;
        let index = self.events.partition_point(|kept| kept.chunk.to <= position);
        let Some(kept) = self.events.get_mut(index) else { return self.find_new(feed, reader) };
        let mut is_next = (kept.chunk.from..kept.first).contains(&position);
        if position < kept.chunk.from {
            is_next =
                feed.next_after(position, ignored_evictions, access)?.is_some_and(|next| next >= kept.first);
            if is_next && ignored_evictions.is_empty() {
                // The feed has no events in between.
                kept.chunk.from = position;
            }
        }
        if is_next && kept.block.can_follow(last) {
            self.is_used = true;
            let chunk = Chunk { at: feed.last_at(), ..kept.chunk.clone() };
            return Ok(Found::Ready(Lookup::Events(chunk, kept.block.clone())));
        }
        self.join_requested = true;
        let mut joinable =
            self.events.range(index..).filter(|kept| kept.block.follows().is_none() && kept.first > position);
        let until = match joinable.next() {
            Some(kept) => kept.first - 1,
            None => self.events.back().map_or(u64::MAX, |newest| newest.chunk.to),
        };
        let mut chunk = feed.joined_after(position, until, ignored_evictions, CHUNK_BYTES, access)?;
        if chunk.is_none() {
            chunk = feed.joined_after(position, u64::MAX, ignored_evictions, CHUNK_BYTES, access)?;
        }
        let Some(chunk) = chunk else { return Ok(self.find_signals(feed, reader)) };
        let chunk = Chunk { at: feed.last_at(), ..chunk };
        Ok(Found::Ready(Lookup::Standalone(chunk, ignored_evictions.is_empty())))
    }

    /// Finds what follows the reader's position, after the newest block.
    fn find_new(&mut self, feed: &Backlog, reader: ReaderState<'_>) -> Result<Found, Evicted> {
        let ReaderState { position, ignored_evictions, access, .. } = reader;
        let Some(first) = feed.next_after(position, ignored_evictions, access)? else {
            return Ok(self.find_signals(feed, reader));
        };
        let Some(chunk) = feed.joined_after(position, u64::MAX, ignored_evictions, CHUNK_BYTES, access)?
        else {
            return Ok(self.find_signals(feed, reader));
        };
        let chunk = Chunk { at: feed.last_at(), ..chunk };
        let shares = ignored_evictions.is_empty();
        Ok(Found::ToCompress(ToCompress { kind: Kind::Events, first, chunk, shares }))
    }

    fn find_signals(&mut self, feed: &Backlog, reader: ReaderState<'_>) -> Found {
        let ReaderState { signals_seen: seen, last, access, .. } = reader;
        let Some(first) = feed.unseen_signals(seen).next().map(|signal| signal.seq) else {
            return Found::Ready(Lookup::Nothing);
        };
        let index = self.signals.partition_point(|kept| kept.chunk.to <= seen);
        if let Some(kept) = self.signals.get(index)
            && kept.first == first
            && kept.block.can_follow(last)
        {
            self.is_used = true;
            return Found::Ready(Lookup::Signals(kept.chunk.clone(), Some(kept.block.clone())));
        }
        let is_new = index == self.signals.len();
        self.join_requested |= !is_new;
        match feed.signals_after(seen, CHUNK_BYTES, access) {
            None => Found::Ready(Lookup::Nothing),
            Some(chunk) if is_new => {
                Found::ToCompress(ToCompress { kind: Kind::Signals, first, chunk, shares: false })
            }
            Some(chunk) => Found::Ready(Lookup::Signals(chunk, None)),
        }
    }

    /// Compresses what [`find`](Self::find) returned, for a reader whose last block was `last`.
    pub(crate) fn compress(&mut self, found: ToCompress, last: Option<u64>) -> Lookup {
        let ToCompress { kind, first, chunk, shares } = found;
        let block = self.compress_next(&chunk, last);
        let fits = block.as_ref().is_some_and(|block| block.can_follow(last));
        if let Some(block) = &block {
            let kept = SharedBlock { first, chunk: chunk.clone(), block: block.clone() };
            match kind {
                Kind::Events => self.events.push_back(kept),
                Kind::Signals => self.signals.push_back(kept),
            }
            self.keep_within();
            self.is_used |= fits;
            self.join_requested |= !fits;
        }
        match (kind, block.filter(|_| fits)) {
            (Kind::Events, Some(block)) => Lookup::Events(chunk, block),
            (Kind::Events, None) => Lookup::Standalone(chunk, shares),
            (Kind::Signals, block) => Lookup::Signals(chunk, block),
        }
    }
}

impl Backlog {
    /// Returns an error if something after `position` was evicted that the reader does not ignore.
    fn check_after(&self, position: u64, ignored_evictions: &[u64]) -> Result<(), Evicted> {
        // The merged frames are complete.
        if self.recent_after(position).is_some() {
            return Ok(());
        }
        if self.is_wide() {
            return Err(Evicted);
        }
        let misses = |(index, ring): (usize, &Arc<TopicRing>)| {
            ring.lock().misses_after(position, ignored_evictions.get(index))
        };
        if self.rings.iter().enumerate().any(misses) { Err(Evicted) } else { Ok(()) }
    }

    /// Returns the position of the first frame after `position`.
    fn next_after(
        &self,
        position: u64,
        ignored_evictions: &[u64],
        access: FullAccess,
    ) -> Result<Option<u64>, Evicted> {
        Ok(self.joined_after(position, u64::MAX, ignored_evictions, 1, access)?.map(|chunk| chunk.to))
    }
}
