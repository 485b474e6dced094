//! The compressed blocks that readers of one feed share.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::chunk::Chunk;
use crate::gzip::{Block, BlockChain};

pub(in crate::hub) mod lookup;
#[cfg(test)]
mod tests;

/// The number of events, or bytes, after which waiting readers may join.
const EVENTS_OF_RUN: u64 = 64;
const BYTES_OF_RUN: usize = 64 << 10;

/// After a pause of this length keep-alives have put many readers out of step, so they may join at once.
const PAUSE: Duration = Duration::from_secs(5);

/// After a pause of this length all memory is released.
const RELEASE_AFTER: Duration = Duration::from_secs(10);

/// The limits of the blocks kept for readers that are a little behind; bytes count compressed and uncompressed.
const KEPT_BYTES: usize = 256 << 10;
const KEPT_BLOCKS: usize = 128;

/// The number of standalone blocks that are kept for readers at the same position.
const KEPT_STANDALONE: usize = 4;

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
    join_requested: bool,
    /// Whether a reader was sent a shared block since the newest one was made.
    is_used: bool,
    /// The feed's generation when the blocks were made; if it has changed, they are invalid.
    generation: u64,
    events: VecDeque<SharedBlock>,
    signals: VecDeque<SharedBlock>,
    kept_bytes: usize,
    standalone: VecDeque<(u64, Chunk, Block)>,
}

/// Where a feed finds what its compressing readers share, while it has any.
#[derive(Default)]
pub(crate) struct FeedGzip(Weak<SharedGzip>);

/// The state of a reader whose response is compressed.
#[derive(Default)]
pub(crate) struct GzipReader {
    /// The last block that the reader was sent.
    pub(in crate::hub) last: Option<u64>,
    /// What the reader shares with the others of its feed, once it has polled.
    pub(in crate::hub) shared: Option<Arc<SharedGzip>>,
    /// The block of the chunk that the reader was just given.
    pub(in crate::hub) block: Option<Block>,
}

/// The next block for readers at a position that is at least `chunk.from` and less than `first`.
struct SharedBlock {
    first: u64,
    chunk: Chunk,
    block: Block,
}

impl FeedGzip {
    /// Returns what compressing readers share; it is dropped once they all have left.
    pub(in crate::hub) fn shared(&mut self) -> Arc<SharedGzip> {
        self.0.upgrade().unwrap_or_else(|| {
            let shared = Arc::default();
            self.0 = Arc::downgrade(&shared);
            shared
        })
    }

    /// The same, if the feed has compressing readers.
    pub(in crate::hub) fn live(&self) -> Option<Arc<SharedGzip>> {
        self.0.upgrade()
    }
}

impl SharedGzip {
    pub(crate) fn lock(&self) -> MutexGuard<'_, SharedGzipInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a standalone block; readers that ask for the same chunk get the same one.
    pub(crate) fn standalone(&self, chunk: &Chunk, shares: bool) -> Block {
        let generation = {
            let inner = self.lock();
            let same = inner.standalone.iter().find(|(generation, kept, _)| {
                shares && *generation == inner.generation && kept.to == chunk.to && kept.bytes == chunk.bytes
            });
            if let Some((_, _, block)) = same {
                return block.clone();
            }
            inner.generation
        };
        // Without the lock: readers that are up to date do not wait for those that catch up.
        let block = Block::alone(&chunk.bytes);
        if shares {
            let mut inner = self.lock();
            inner.standalone.push_front((generation, chunk.clone(), block.clone()));
            inner.standalone.truncate(KEPT_STANDALONE);
        }
        block
    }

    /// Releases all memory after a pause.
    pub(crate) fn release_idle(&self, now: Instant) {
        let mut inner = self.lock();
        if inner.made_at.is_some_and(|made_at| now.saturating_duration_since(made_at) >= RELEASE_AFTER) {
            let generation = inner.generation;
            *inner = SharedGzipInner { generation, ..SharedGzipInner::default() };
        }
    }
}

impl SharedGzipInner {
    /// Makes the next block, for a reader whose last one was `last`; returns `None` if no compressor is
    /// available.
    fn compress_next(&mut self, chunk: &Chunk, last: Option<u64>) -> Option<Block> {
        let now = Instant::now();
        let paused = self.made_at.is_none_or(|made_at| now.saturating_duration_since(made_at) >= PAUSE);
        let run = match &mut self.run {
            Some(run) => run,
            None => self.run.insert(BlockChain::open()?),
        };
        let join_requested = self.join_requested || last.is_none() || last != run.last();
        let is_long = self.run_events >= EVENTS_OF_RUN || self.run_bytes >= BYTES_OF_RUN;
        if paused || (join_requested && (is_long || !self.is_used)) {
            run.restart();
            (self.run_events, self.run_bytes, self.join_requested) = (0, 0, false);
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
            let Some(dropped) = older.pop_front() else { return };
            self.kept_bytes -= dropped.chunk.bytes.len() + dropped.block.deflated().len();
        }
    }
}
