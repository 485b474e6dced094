use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::Waker,
};

use tokio::time::Instant;

use super::chunk::{CHUNK_BYTES, Chunk};
#[cfg(feature = "compress")]
use super::gzip::SharedGzip;
use crate::hub::{
    options::permission::FullAccess,
    readers::reader::Reader,
    window::merge::merged,
    window::ring::TopicRing,
    window::tagged::{TaggedFrame, TopicSet},
};
use crate::{
    history::{Pattern, Topic},
    waiters::{Slot, Waiters},
    wire::Frame,
};

/// The limits, in frames and in bytes, of the merged frames that a feed of several topics keeps for its readers;
/// it keeps at least the newest one. Readers that are further behind merge the rings.
const RECENT: usize = 128;
const RECENT_BYTES: usize = 1 << 20;

/// The limits, in signals and in bytes, of the signals that a feed keeps for readers that have not been woken
/// yet; it keeps at least the newest one.
const SIGNALS: usize = 64;
const SIGNAL_BYTES: usize = 256 << 10;

/// The limits, in chunks and in bytes, of the built chunks that a feed keeps for readers at the same position;
/// it keeps at least the newest one.
const CHUNKS: usize = 4;
const CACHED_BYTES: usize = CHUNKS * CHUNK_BYTES;

/// With more rings than this, a reader that is behind the feed's merged frames gathers its events in steps; see
/// `gather.rs`.
const WIDE: usize = 256;

/// What all readers of the same topics share: one feed for each requested set of patterns.
pub(crate) struct Feed {
    /// Increases with each feed of a hub.
    pub(crate) id: u64,
    pub(crate) patterns: Box<[Pattern]>,
    /// Whether no pattern has wildcards, so that the feed can end.
    pub(crate) is_exact: bool,
    inner: Mutex<FeedInner>,
}

pub(crate) struct FeedInner {
    pub(crate) rings: Vec<Arc<TopicRing>>,
    /// The index among the window's topics at which the search for matching rings continues; see `attach.rs`.
    pub(in crate::hub) next_place: Option<usize>,
    pub(crate) readers: Vec<Arc<Reader>>,
    pub(crate) waiters: Waiters,
    /// The position of the newest frame for this feed; `last_at` is when it arrived.
    pub(crate) last: u64,
    /// The number of rows of the epoch table that the feed has applied: a reader that has applied fewer must
    /// check for a fork.
    pub(crate) version: u32,
    last_at: Option<Instant>,
    /// The number of finished rings.
    pub(crate) finished: usize,
    /// In a feed of several topics: everything after `recent_floor`, merged.
    recent: VecDeque<TaggedFrame>,
    recent_bytes: usize,
    recent_floor: u64,
    signals: VecDeque<TaggedFrame>,
    signal_bytes: usize,
    last_signal: u64,
    chunks: VecDeque<Chunk>,
    /// The number of times that events were dropped which readers may have received.
    cuts: u64,
    /// What compressing readers share, while the feed has any.
    #[cfg(feature = "compress")]
    blocks: std::sync::Weak<SharedGzip>,
}

/// Frames after a position were evicted before the reader took them, or must be gathered from many rings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evicted;

impl Feed {
    /// Creates a feed over `rings`, at the hub's `head` and with `version` rows of its epoch table.
    pub(crate) fn new(
        id: u64,
        patterns: Box<[Pattern]>,
        rings: Vec<Arc<TopicRing>>,
        head: u64,
        version: usize,
    ) -> Self {
        let is_exact = patterns.iter().all(Pattern::is_exact);
        let mut last = 0;
        let mut finished = 0;
        for ring in &rings {
            let ring = ring.lock();
            last = last.max(ring.last_seq());
            finished += usize::from(ring.finished.is_some());
        }
        let inner = FeedInner {
            rings,
            next_place: (!is_exact).then_some(0),
            readers: Vec::new(),
            waiters: Waiters::default(),
            last,
            version: short(version),
            last_at: None,
            finished,
            recent: VecDeque::new(),
            recent_bytes: 0,
            recent_floor: head,
            signals: VecDeque::new(),
            signal_bytes: 0,
            last_signal: 0,
            chunks: VecDeque::new(),
            cuts: 0,
            #[cfg(feature = "compress")]
            blocks: std::sync::Weak::new(),
        };
        Self { id, patterns, is_exact, inner: Mutex::new(inner) }
    }

    /// Locks the feed. Lock order: the window, then the feed, then a ring.
    pub(crate) fn lock(&self) -> MutexGuard<'_, FeedInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the patterns with wildcards.
    pub(crate) fn wildcards(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter().filter(|pattern| !pattern.is_exact())
    }

    /// Returns whether one of the patterns is the topic itself, without wildcards.
    pub(crate) fn names(&self, topic: &Topic) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exact() && pattern.matches(topic))
    }

    pub(crate) fn matches(&self, topic: &Topic) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(topic))
    }
}

impl FeedInner {
    pub(crate) fn add_reader(&mut self, reader: Arc<Reader>) {
        reader.place.store(short(self.readers.len()), Ordering::Relaxed);
        self.readers.push(reader);
    }

    /// Removes a reader; does nothing if it was already removed.
    pub(crate) fn remove_reader(&mut self, reader: &Arc<Reader>) {
        let place = reader.place.load(Ordering::Relaxed) as usize;
        if self.readers.get(place).is_some_and(|kept| Arc::ptr_eq(kept, reader)) {
            self.readers.swap_remove(place);
            if let Some(moved) = self.readers.get(place) {
                moved.place.store(short(place), Ordering::Relaxed);
            }
            self.release();
        }
    }

    /// Registers a reader that has taken everything, so that the next event wakes it.
    pub(crate) fn wait(&mut self, slot: &mut Slot, waker: &Waker) {
        self.waiters.register(slot, waker);
        self.release();
    }

    /// Frees what is kept for readers that are behind, once all readers wait.
    fn release(&mut self) {
        if self.waiters.len() < self.readers.len() {
            return;
        }
        self.chunks.clear();
        self.signals.clear();
        self.signal_bytes = 0;
        self.clear_recent(self.recent_floor.max(self.last));
    }

    /// Drops the merged frames. From now on, frames after `floor` are merged.
    fn clear_recent(&mut self, floor: u64) {
        self.recent.clear();
        self.recent_bytes = 0;
        self.recent_floor = floor;
    }

    /// Adds the ring of a topic that has just appeared.
    pub(crate) fn add_ring(&mut self, ring: Arc<TopicRing>) {
        self.rings.push(ring);
        if self.rings.len() == 2 {
            // A feed of one topic merges nothing; with the second topic, merging starts here.
            self.clear_recent(self.recent_floor.max(self.last));
        }
    }

    /// Records a frame that its ring already holds; returns the wakers of the readers that waited for it.
    pub(crate) fn push(
        &mut self,
        seq: u64,
        at: Instant,
        frame: &Frame,
        labels: &TopicSet,
    ) -> Vec<Option<Waker>> {
        if self.rings.len() > 1 {
            if self.waiters.len() == self.readers.len() {
                // Every reader has taken all earlier frames: only new ones are needed.
                self.clear_recent(self.recent_floor.max(self.last));
            }
            self.recent.push_back(TaggedFrame { seq, frame: frame.clone(), labels: labels.clone() });
            self.recent_bytes += frame.bytes().len();
            while self.recent.len() > RECENT || (self.recent_bytes > RECENT_BYTES && self.recent.len() > 1) {
                let Some(evicted) = self.recent.pop_front() else { break };
                self.recent_bytes -= evicted.frame.bytes().len();
                self.recent_floor = evicted.seq;
            }
        }
        self.last = seq;
        self.last_at = Some(at);
        self.waiters.take()
    }

    /// Keeps a signal for the readers connected now; returns the wakers of those that waited.
    pub(crate) fn signal(&mut self, frame: &Frame, labels: &TopicSet) -> Vec<Option<Waker>> {
        if self.readers.is_empty() {
            return Vec::new();
        }
        self.last_signal += 1;
        let seq = self.last_signal;
        self.signal_bytes += frame.bytes().len();
        self.signals.push_back(TaggedFrame { seq, frame: frame.clone(), labels: labels.clone() });
        while self.signals.len() > SIGNALS || (self.signal_bytes > SIGNAL_BYTES && self.signals.len() > 1) {
            let Some(oldest) = self.signals.pop_front() else { break };
            self.signal_bytes -= oldest.frame.bytes().len();
        }
        self.waiters.take()
    }

    pub(crate) fn last_signal(&self) -> u64 {
        self.last_signal
    }

    /// Returns the signals after `seen`; the oldest of them may already be dropped, because signals are not
    /// stored.
    pub(crate) fn signals_after(&self, seen: u64, max: usize, _: FullAccess) -> Option<Chunk> {
        if seen >= self.last_signal {
            return None;
        }
        Chunk::first_of(seen, self.unseen_signals(seen).map(TaggedFrame::placed), max)
    }

    pub(crate) fn unseen_signals(&self, seen: u64) -> impl Iterator<Item = &TaggedFrame> + Clone {
        self.signals.iter().filter(move |signal| signal.seq > seen)
    }

    /// Returns what follows `position`, if a feed of several topics still has it merged.
    pub(crate) fn recent_after(&self, position: u64) -> Option<impl Iterator<Item = &TaggedFrame> + Clone> {
        if self.rings.len() == 1 || position < self.recent_floor {
            return None;
        }
        let start = self.recent.partition_point(|event| event.seq <= position);
        Some(self.recent.range(start..))
    }

    /// Returns the bytes after `position`: those that another reader at the same position got, or new ones.
    ///
    /// Events that a ring evicted up to its entry in `ignored_evictions` do not count as missed.
    #[inline]
    pub(crate) fn chunk_after(
        &mut self,
        position: u64,
        ignored_evictions: &[u64],
        max: usize,
        access: FullAccess,
    ) -> Result<Option<Chunk>, Evicted> {
        if self.last <= position {
            return Ok(None);
        }
        // An eviction that one reader ignores may be a gap for another, so only chunks without ignored evictions
        // are shared.
        let shares = max == CHUNK_BYTES && self.readers.len() > 1 && ignored_evictions.is_empty();
        if shares && let Some(chunk) = self.chunks.iter().find(|chunk| chunk.from == position) {
            return Ok(Some(chunk.clone()));
        }
        let Some(mut chunk) = self.joined_after(position, self.last, ignored_evictions, max, access)? else {
            return Ok(None);
        };
        // Reading the clock for each reader would cost as much as all the rest.
        chunk.at = self.last_at.filter(|_| chunk.to == self.last);
        if shares {
            self.chunks.push_front(chunk.clone());
            while self.chunks.len() > CHUNKS || (self.cached_bytes() > CACHED_BYTES && self.chunks.len() > 1)
            {
                self.chunks.pop_back();
            }
        }
        Ok(Some(chunk))
    }

    fn cached_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// Returns the number of bytes of signals, chunks and merged frames that are kept for readers that are
    /// behind.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.signal_bytes + self.cached_bytes() + self.recent_bytes
    }

    /// Returns whether there are too many rings to visit all of them under one lock.
    pub(crate) fn is_wide(&self) -> bool {
        self.rings.len() > WIDE
    }

    /// Returns whether every reader has taken everything and waits.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.next_place.is_none() && self.waiters.len() == self.readers.len()
    }

    /// Removes the ring of a topic that is being forgotten. All readers must be up to date: ignored evictions
    /// are stored by the index of a ring, and indexes change.
    pub(crate) fn remove_ring(&mut self, ring: &Arc<TopicRing>) {
        if let Some(place) = self.rings.iter().position(|known| Arc::ptr_eq(known, ring)) {
            self.rings.swap_remove(place);
        }
    }

    /// Returns the number of times that events were dropped which readers may have received.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Ends the search for rings: all matching topics were added, and from now on the feed gets each of their
    /// events.
    pub(in crate::hub) fn end_search(&mut self, head: u64) {
        self.next_place = None;
        self.forget_chunks();
        self.clear_recent(head);
    }

    /// Returns the highest evicted position of the rings.
    pub(crate) fn evicted(&self) -> u64 {
        self.rings.iter().map(|ring| ring.lock().evicted).max().unwrap_or(0)
    }

    /// Forgets everything: what happened up to `floor` is unknown.
    pub(crate) fn skip_to(&mut self, floor: u64) -> Vec<Option<Waker>> {
        self.forget_chunks();
        self.clear_recent(floor);
        self.last = floor;
        self.finished = 0;
        self.waiters.take()
    }

    fn forget_chunks(&mut self) {
        self.chunks.clear();
        self.cuts += 1;
    }

    /// Drops the frames at `fork` and after it, before the rings do: from now on readers get none of them. The
    /// epoch table now has `version` rows.
    pub(crate) fn truncate(&mut self, fork: u64, version: usize) -> Vec<Option<Waker>> {
        self.version = short(version);
        let last = fork.saturating_sub(1);
        self.forget_chunks();
        self.recent.retain(|event| event.seq < fork);
        self.recent_bytes = self.recent.iter().map(|event| event.frame.bytes().len()).sum();
        self.recent_floor = self.recent_floor.min(last);
        self.last = self.last.min(last);
        self.last_at = None;
        self.waiters.take()
    }

    /// Joins the first frames after `position` and up to `until`: at most `max` bytes, but at least one frame.
    pub(in crate::hub) fn joined_after(
        &self,
        position: u64,
        until: u64,
        ignored_evictions: &[u64],
        max: usize,
        _: FullAccess,
    ) -> Result<Option<Chunk>, Evicted> {
        let until = until.min(self.last);
        match (&*self.rings, self.recent_after(position)) {
            ([ring], _) => {
                let ring = ring.lock();
                if ring.misses_after(position, ignored_evictions.first()) {
                    return Err(Evicted);
                }
                let frames = ring.after(position).take_while(|kept| kept.seq <= until);
                Ok(Chunk::first_of(position, frames.map(|kept| (kept.seq, &kept.frame)), max))
            }
            (_, Some(recent)) => {
                let frames = recent.take_while(|event| event.seq <= until);
                Ok(Chunk::first_of(position, frames.map(TaggedFrame::placed), max))
            }
            (_, None) if self.is_wide() => Err(Evicted),
            (rings, None) => {
                let frames = merged(rings, position..until, ignored_evictions, max)?;
                Ok(Chunk::first_of(position, frames.iter().map(|(seq, frame)| (*seq, frame)), max))
            }
        }
    }
}

#[cfg(feature = "compress")]
impl FeedInner {
    /// Returns what compressing readers share; it is dropped once they all have left.
    pub(crate) fn blocks(&mut self) -> Arc<SharedGzip> {
        self.blocks.upgrade().unwrap_or_else(|| {
            let blocks = Arc::default();
            self.blocks = Arc::downgrade(&blocks);
            blocks
        })
    }

    /// The same, if the feed has compressing readers.
    pub(crate) fn live_blocks(&self) -> Option<Arc<SharedGzip>> {
        self.blocks.upgrade()
    }

    /// Returns when the newest frame arrived.
    pub(crate) fn last_at(&self) -> Option<Instant> {
        self.last_at
    }
}

/// Converts a number of readers or epochs, of which a process has fewer than 2^32.
fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
