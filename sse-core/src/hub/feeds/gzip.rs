//! The compressed blocks that readers of one feed share.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    chunk::{CHUNK_BYTES, Chunk},
    feed::{Evicted, FeedInner},
};
use crate::gzip::{Block, BlockChain};
use crate::hub::options::permission::FullAccess;

#[cfg(test)]
mod tests;

/// The number of events, or bytes, after which waiting readers may join.
const EVENTS_OF_RUN: u64 = 64;
const BYTES_OF_RUN: usize = 64 << 10;

/// After a pause of this length keep-alives have put many readers out of step, so they may join at once.
const PAUSE: Duration = Duration::from_secs(5);

/// After a pause of this length all memory is released.
const REST: Duration = Duration::from_secs(10);

/// The limits of the blocks kept for readers that are a little behind; bytes count compressed and uncompressed.
const KEPT_BYTES: usize = 256 << 10;
const KEPT_BLOCKS: usize = 128;

/// The number of standalone blocks that are kept for readers at the same position.
const KEPT_ALONE: usize = 4;

/// What compressing readers of a feed share; it exists only while the feed has any.
///
/// One compressor processes each event once, when the first reader asks for it. Its blocks refer back to earlier
/// blocks, so a block fits only a reader that received exactly those and nothing of its own in between. From
/// time to time a block refers to nothing earlier, and waiting readers may join there. Until then they get
/// standalone blocks, which end at the same positions as the shared ones, so that they stay in step.
///
/// This lock is taken before the feed's, and the feed's lock is not held during compression.
#[derive(Default)]
pub(crate) struct SharedGzip(Mutex<SharedGzipInner>);

#[derive(Default)]
pub(crate) struct SharedGzipInner {
    /// `None` after a pause, and while the process has too many compressors.
    run: Option<BlockChain>,
    run_events: u64,
    run_bytes: usize,
    made_at: Option<Instant>,
    /// Whether a reader waits to join.
    is_wanted: bool,
    /// Whether a reader was sent a shared block since the newest one was made.
    is_used: bool,
    /// The feed's `cuts` when the blocks were made; if it has changed, they are invalid.
    cuts: u64,
    events: VecDeque<SharedBlock>,
    signals: VecDeque<SharedBlock>,
    kept_bytes: usize,
    alone: VecDeque<(u64, Chunk, Block)>,
}

/// The next block for readers at a position that is at least `chunk.from` and less than `first`.
struct SharedBlock {
    first: u64,
    chunk: Chunk,
    block: Block,
}

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

/// What the reader gets next.
pub(crate) enum Lookup {
    Events(Chunk, Block),
    /// Events that need a standalone block, and whether other readers may get the same block.
    Alone(Chunk, bool),
    /// Signals; `None` means that they need a standalone block.
    Signals(Chunk, Option<Block>),
    Nothing,
}

impl SharedGzip {
    pub(crate) fn lock(&self) -> MutexGuard<'_, SharedGzipInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a standalone block; readers that ask for the same chunk get the same one.
    pub(crate) fn alone(&self, chunk: &Chunk, shares: bool) -> Block {
        let cuts = {
            let inner = self.lock();
            let same = inner.alone.iter().find(|(cuts, kept, _)| {
                shares && *cuts == inner.cuts && kept.to == chunk.to && kept.bytes == chunk.bytes
            });
            if let Some((_, _, block)) = same {
                return block.clone();
            }
            inner.cuts
        };
        // Without the lock: readers that are up to date do not wait for those that catch up.
        let block = Block::alone(&chunk.bytes);
        if shares {
            let mut inner = self.lock();
            inner.alone.push_front((cuts, chunk.clone(), block.clone()));
            inner.alone.truncate(KEPT_ALONE);
        }
        block
    }

    /// Releases all memory after a pause.
    pub(crate) fn rest(&self, now: Instant) {
        let mut inner = self.lock();
        if inner.made_at.is_some_and(|made_at| now.saturating_duration_since(made_at) >= REST) {
            let cuts = inner.cuts;
            *inner = SharedGzipInner { cuts, ..SharedGzipInner::default() };
        }
    }
}

impl SharedGzipInner {
    /// Returns what comes next for a reader.
    pub(crate) fn find(
        &mut self,
        feed: MutexGuard<'_, FeedInner>,
        spot: ReaderState<'_>,
    ) -> Result<Lookup, Evicted> {
        if self.cuts != feed.cuts() {
            *self = Self { cuts: feed.cuts(), ..Self::default() };
        }
        let ReaderState { position, ignored_evictions, last, access, .. } = spot;
        if feed.last <= position {
            return Ok(self.find_signals(feed, spot));
        }
        feed.check_after(position, ignored_evictions)?;
        let index = self.events.partition_point(|made| made.chunk.to <= position);
        let Some(made) = self.events.get_mut(index) else { return self.go_on(feed, spot) };
        let mut is_next = (made.chunk.from..made.first).contains(&position);
        if position < made.chunk.from {
            is_next =
                feed.next_after(position, ignored_evictions, access)?.is_some_and(|next| next >= made.first);
            if is_next && ignored_evictions.is_empty() {
                // The feed has no events in between.
                made.chunk.from = position;
            }
        }
        if is_next && made.block.can_follow(last) {
            self.is_used = true;
            let chunk = Chunk { at: feed.last_at(), ..made.chunk.clone() };
            return Ok(Lookup::Events(chunk, made.block.clone()));
        }
        self.is_wanted = true;
        let mut joinable =
            self.events.range(index..).filter(|made| made.block.follows().is_none() && made.first > position);
        let until = match joinable.next() {
            Some(made) => made.first - 1,
            None => self.events.back().map_or(u64::MAX, |newest| newest.chunk.to),
        };
        let mut chunk = feed.joined_after(position, until, ignored_evictions, CHUNK_BYTES, access)?;
        if chunk.is_none() {
            chunk = feed.joined_after(position, u64::MAX, ignored_evictions, CHUNK_BYTES, access)?;
        }
        let Some(chunk) = chunk else { return Ok(self.find_signals(feed, spot)) };
        Ok(Lookup::Alone(Chunk { at: feed.last_at(), ..chunk }, ignored_evictions.is_empty()))
    }

    /// Compresses what follows the reader's position; this reader is the first to get there.
    fn go_on(&mut self, feed: MutexGuard<'_, FeedInner>, spot: ReaderState<'_>) -> Result<Lookup, Evicted> {
        let ReaderState { position, ignored_evictions, last, access, .. } = spot;
        let Some(first) = feed.next_after(position, ignored_evictions, access)? else {
            return Ok(self.find_signals(feed, spot));
        };
        let Some(chunk) = feed.joined_after(position, u64::MAX, ignored_evictions, CHUNK_BYTES, access)?
        else {
            return Ok(self.find_signals(feed, spot));
        };
        let chunk = Chunk { at: feed.last_at(), ..chunk };
        drop(feed);
        let Some(block) = self.make(&chunk, last) else {
            return Ok(Lookup::Alone(chunk, ignored_evictions.is_empty()));
        };
        self.events.push_back(SharedBlock { first, chunk: chunk.clone(), block: block.clone() });
        self.keep_within();
        if block.can_follow(last) {
            self.is_used = true;
            return Ok(Lookup::Events(chunk, block));
        }
        self.is_wanted = true;
        Ok(Lookup::Alone(chunk, ignored_evictions.is_empty()))
    }

    fn find_signals(&mut self, feed: MutexGuard<'_, FeedInner>, spot: ReaderState<'_>) -> Lookup {
        let ReaderState { signals_seen: seen, last, access, .. } = spot;
        let Some(first) = feed.unseen_signals(seen).next().map(|signal| signal.seq) else {
            return Lookup::Nothing;
        };
        let index = self.signals.partition_point(|made| made.chunk.to <= seen);
        if let Some(made) = self.signals.get(index) {
            if made.first == first && made.block.can_follow(last) {
                self.is_used = true;
                return Lookup::Signals(made.chunk.clone(), Some(made.block.clone()));
            }
            self.is_wanted = true;
            return feed
                .signals_after(seen, CHUNK_BYTES, access)
                .map_or(Lookup::Nothing, |chunk| Lookup::Signals(chunk, None));
        }
        let Some(chunk) = feed.signals_after(seen, CHUNK_BYTES, access) else { return Lookup::Nothing };
        drop(feed);
        let Some(block) = self.make(&chunk, last) else { return Lookup::Signals(chunk, None) };
        self.signals.push_back(SharedBlock { first, chunk: chunk.clone(), block: block.clone() });
        self.keep_within();
        let fits = block.can_follow(last);
        self.is_used |= fits;
        self.is_wanted |= !fits;
        Lookup::Signals(chunk, fits.then_some(block))
    }

    /// Makes the next block, for a reader whose last one was `last`; returns `None` if no compressor is
    /// available.
    fn make(&mut self, chunk: &Chunk, last: Option<u64>) -> Option<Block> {
        let now = Instant::now();
        let paused = self.made_at.is_none_or(|made_at| now.saturating_duration_since(made_at) >= PAUSE);
        let run = match &mut self.run {
            Some(run) => run,
            None => self.run.insert(BlockChain::open()?),
        };
        let is_wanted = self.is_wanted || last.is_none() || last != run.last();
        let is_long = self.run_events >= EVENTS_OF_RUN || self.run_bytes >= BYTES_OF_RUN;
        if paused || (is_wanted && (is_long || !self.is_used)) {
            run.restart();
            (self.run_events, self.run_bytes, self.is_wanted) = (0, 0, false);
        }
        self.made_at = Some(now);
        self.is_used = false;
        self.run_events += chunk.events;
        self.run_bytes += chunk.bytes.len();
        let block = run.block(&chunk.bytes);
        self.kept_bytes += chunk.bytes.len() + block.deflated().len();
        Some(block)
    }

    /// Drops the oldest blocks.
    fn keep_within(&mut self) {
        while self.events.len() + self.signals.len() > 1
            && (self.kept_bytes > KEPT_BYTES || self.events.len() + self.signals.len() > KEPT_BLOCKS)
        {
            let older =
                if self.signals.len() > self.events.len() { &mut self.signals } else { &mut self.events };
            let Some(made) = older.pop_front() else { return };
            self.kept_bytes -= made.chunk.bytes.len() + made.block.deflated().len();
        }
    }
}

impl FeedInner {
    /// Returns an error if something after `position` was evicted that the reader does not ignore.
    fn check_after(&self, position: u64, ignored_evictions: &[u64]) -> Result<(), Evicted> {
        // The merged frames are complete.
        if self.recent_after(position).is_some() {
            return Ok(());
        }
        if self.is_wide() {
            return Err(Evicted);
        }
        let misses = |(index, ring): (usize, &std::sync::Arc<crate::hub::window::ring::TopicRing>)| {
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
