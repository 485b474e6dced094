//! What compressing readers of one feed share.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::feed::{CHUNK_BYTES, Chunk, Evicted, FeedInner};
use crate::{
    compress::{Block, Run},
    wire::Frame,
};

/// After how many events, or bytes, those who wait may join.
const EVENTS_OF_RUN: u64 = 64;
const BYTES_OF_RUN: usize = 64 << 10;

/// After such a pause keep-alives have put many out.
const PAUSE: Duration = Duration::from_secs(5);

/// After such a pause the compressor is given back.
const REST: Duration = Duration::from_secs(10);

/// How much is kept for readers who are a little behind, compressed and not.
const KEPT_BYTES: usize = 256 << 10;
const KEPT_BLOCKS: usize = 128;

/// How many blocks that stand alone are kept for readers at the same places.
const ALONE: usize = 4;

/// The compressed blocks of a feed, for all of its readers who take compressed bytes.
///
/// One compressor goes through the events once, whoever asks for them first. Its blocks refer back to those before them,
/// so only readers get them who had exactly those; every so often a block follows nothing, and who waits may join. Until
/// then a reader gets blocks that stand alone. Where one block ends all readers' chunks end, so that they meet.
///
/// The lock is taken before the feed's, which is not held while anything is compressed.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Mutex<BlocksInner>);

#[derive(Debug, Default)]
pub(crate) struct BlocksInner {
    /// Nothing after a pause, and while too many are open in the process.
    run: Option<Run>,
    run_events: u64,
    run_bytes: usize,
    made_at: Option<Instant>,
    /// How often the feed had dropped frames that were not evicted.
    cuts: u64,
    events: VecDeque<Made>,
    signals: VecDeque<Made>,
    kept_bytes: usize,
    alone: VecDeque<(u64, Chunk, Block)>,
}

/// A block that was made, for readers at a position that is at least `chunk.from` and less than `first`.
#[derive(Debug)]
struct Made {
    first: u64,
    chunk: Chunk,
    block: Block,
    /// Whether anybody was sent it as it is.
    is_taken: bool,
}

/// Where a compressing reader is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) position: u64,
    pub(crate) forgiven: &'a [u64],
    pub(crate) signals_seen: u64,
    /// The last block that it was sent.
    pub(crate) last: Option<u64>,
}

/// What there is for it.
pub(crate) enum Found<'f> {
    /// A chunk and its block.
    Chunk(Chunk, Block),
    /// A chunk for which a block that stands alone is to be made, and whether others may get it too.
    Alone(Chunk, bool),
    /// Signals; the block is missing if it must stand alone.
    Signals(Chunk, Option<Block>),
    Nothing(MutexGuard<'f, FeedInner>),
}

impl Blocks {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BlocksInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block that stands alone, the same one for all who ask for the same chunk.
    pub(crate) fn alone(&self, chunk: &Chunk, shares: bool) -> Block {
        let kept = |inner: &BlocksInner| {
            let of = |(cuts, kept, _): &&(u64, Chunk, Block)| {
                *cuts == inner.cuts && kept.to == chunk.to && kept.bytes.len() == chunk.bytes.len()
            };
            inner.alone.iter().find(of).map(|(_, _, block)| block.clone())
        };
        if shares && let Some(block) = kept(&self.lock()) {
            return block;
        }
        // Without the lock: readers who are up to date do not wait for those who catch up.
        let block = Block::alone(&chunk.bytes);
        if shares {
            let mut inner = self.lock();
            let cuts = inner.cuts;
            inner.alone.push_front((cuts, chunk.clone(), block.clone()));
            inner.alone.truncate(ALONE);
        }
        block
    }

    /// Gives back what a pause has made worthless.
    pub(crate) fn rest(&self, now: Instant) {
        let mut inner = self.lock();
        if inner.made_at.is_some_and(|made_at| now.saturating_duration_since(made_at) >= REST) {
            let cuts = inner.cuts;
            *inner = BlocksInner { cuts, ..BlocksInner::default() };
        }
    }
}

impl BlocksInner {
    /// What follows for a reader.
    pub(crate) fn find<'f>(
        &mut self,
        feed: MutexGuard<'f, FeedInner>,
        spot: Spot<'_>,
    ) -> Result<Found<'f>, Evicted> {
        if feed.cuts() != self.cuts {
            let cuts = feed.cuts();
            *self = Self { cuts, ..Self::default() };
        }
        let Spot { position, forgiven, last, .. } = spot;
        if feed.last <= position {
            return Ok(self.find_signals(feed, spot));
        }
        feed.misses_after(position, forgiven)?;
        let index = self.events.partition_point(|made| made.chunk.to <= position);
        let Some(made) = self.events.get_mut(index) else { return self.extend(feed, spot) };
        let mut frames = Vec::new();
        if position < made.chunk.from {
            frames = feed.frames_after(position, forgiven, CHUNK_BYTES)?;
            if forgiven.is_empty() && frames.first().is_some_and(|(seq, _)| *seq >= made.first) {
                // Nothing of this feed lies between.
                made.chunk.from = position;
            }
        }
        let is_next = (made.chunk.from..made.first).contains(&position);
        if is_next && made.block.fits_after(last) {
            made.is_taken = true;
            // When it was made says nothing of how long ago the reader could have had the last of what it takes now.
            let chunk = Chunk { at: feed.last_at(), ..made.chunk.clone() };
            return Ok(Found::Chunk(chunk, made.block.clone()));
        }
        if frames.is_empty() {
            frames = feed.frames_after(position, forgiven, CHUNK_BYTES)?;
        }
        let joins_at = self.events.range(index..).find(|made| made.block.follows().is_none() && made.first > position);
        let until = match joins_at {
            Some(fresh) if !is_next || fresh.first > frames.first().map_or(0, |(seq, _)| *seq) => fresh.first - 1,
            _ => self.events.back().map_or(u64::MAX, |made| made.chunk.to),
        };
        self.alone_until(feed, spot, frames, until)
    }
}
