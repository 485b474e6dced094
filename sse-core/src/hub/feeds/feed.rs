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

/// How many frames a feed of several topics keeps merged for its readers, and how many bytes of them, but at least the
/// newest one. Readers that are further behind merge the rings.
const RECENT: usize = 128;
const RECENT_BYTES: usize = 1 << 20;

/// How many signals a feed keeps for readers that have not been woken yet, and how many bytes of them, but at least the
/// newest one.
const SIGNALS: usize = 64;
const SIGNAL_BYTES: usize = 256 << 10;

/// How many built chunks a feed keeps for the readers at the same places, and how many bytes of them, but at least the
/// newest one.
const CHUNKS: usize = 4;
const CACHED_BYTES: usize = CHUNKS * CHUNK_BYTES;

/// With more rings than this, a reader that is behind what the feed keeps merged gathers its events in steps; see
/// `gather.rs`.
const WIDE: usize = 256;

/// What all readers of the same topics share: one for each set of patterns that is asked for.
pub(crate) struct Feed {
    /// Grows with each feed of a hub.
    pub(crate) id: u64,
    pub(crate) patterns: Box<[Pattern]>,
    /// Whether no pattern has wildcards, so that the feed can come to an end.
    pub(crate) is_exact: bool,
    inner: Mutex<FeedInner>,
}

pub(crate) struct FeedInner {
    pub(crate) rings: Vec<Arc<TopicRing>>,
    /// From which of the window's places on the rings of topics that match are still to be added; see `attach.rs`.
    pub(in crate::hub) next_place: Option<usize>,
    pub(crate) readers: Vec<Arc<Reader>>,
    pub(crate) waiters: Waiters,
    /// The position of the newest frame for this feed, and when it came.
    pub(crate) last: u64,
    /// How many rows of the epoch table it has taken into account: a reader that knows fewer must look for a fork.
    pub(crate) version: u32,
    last_at: Option<Instant>,
    /// How many of the rings are finished.
    pub(crate) finished: usize,
    /// Of a feed of several topics: everything after `recent_floor`, merged.
    recent: VecDeque<TaggedFrame>,
    recent_bytes: usize,
    recent_floor: u64,
    signals: VecDeque<TaggedFrame>,
    signal_bytes: usize,
    last_signal: u64,
    chunks: VecDeque<Chunk>,
    /// How often events that readers may have received were dropped.
    cuts: u64,
    /// What compressing readers share, while there are any.
    #[cfg(feature = "compress")]
    blocks: std::sync::Weak<SharedGzip>,
}

/// Frames after a position were evicted before the reader could take them, or must be gathered from many rings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evicted;

impl Feed {
    /// A feed over `rings`, at the hub's `head` and with `version` rows of its epoch table.
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

    /// May be locked under the window's lock, and a ring's lock under this one.
    pub(crate) fn lock(&self) -> MutexGuard<'_, FeedInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The patterns with wildcards.
    pub(crate) fn wildcards(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter().filter(|pattern| !pattern.is_exact())
    }

    /// Whether one of the patterns is the topic itself, without wildcards.
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

    /// Takes a reader out; does nothing if it is out already.
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

    /// Drops the merged frames. Those after `floor` are merged from here on.
    fn clear_recent(&mut self, floor: u64) {
        self.recent.clear();
        self.recent_bytes = 0;
        self.recent_floor = floor;
    }

    /// Adds the ring of a topic that has just appeared.
    pub(crate) fn add_ring(&mut self, ring: Arc<TopicRing>) {
        self.rings.push(ring);
        if self.rings.len() == 2 {
            // A feed of one topic merges nothing; from here on this one does.
            self.clear_recent(self.recent_floor.max(self.last));
        }
    }

    /// Takes notice of a frame that its ring holds already, and takes out who waits for it.
    pub(crate) fn push(
        &mut self,
        seq: u64,
        at: Instant,
        frame: &Frame,
        labels: &TopicSet,
    ) -> Vec<Option<Waker>> {
        if self.rings.len() > 1 {
            if self.waiters.len() == self.readers.len() {
                // Everyone has taken all there was: only what comes now is still needed.
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

    /// Keeps a signal for the readers of now, and takes out who waits.
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

    /// The signals after `seen`; the oldest of them may be gone, signals are not kept.
    pub(crate) fn signals_after(&self, seen: u64, max: usize, _: FullAccess) -> Option<Chunk> {
        if seen >= self.last_signal {
            return None;
        }
        Chunk::first_of(seen, self.unseen_signals(seen).map(TaggedFrame::placed), max)
    }

    pub(crate) fn unseen_signals(&self, seen: u64) -> impl Iterator<Item = &TaggedFrame> + Clone {
        self.signals.iter().filter(move |signal| signal.seq > seen)
    }

    /// What follows `position`, if a feed of several topics still has it merged.
    pub(crate) fn recent_after(&self, position: u64) -> Option<impl Iterator<Item = &TaggedFrame> + Clone> {
        if self.rings.len() == 1 || position < self.recent_floor {
            return None;
        }
        let start = self.recent.partition_point(|event| event.seq <= position);
        Some(self.recent.range(start..))
    }

    /// The bytes after `position`: those that another reader at the same place was given, or new ones.
    ///
    /// What each ring had evicted up to `ignored_evictions` is not missed.
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
        // What one reader is forgiven another may miss, so only what nobody misses is shared.
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

    /// The bytes of signals, chunks and merged frames that are kept for readers that are behind.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.signal_bytes + self.cached_bytes() + self.recent_bytes
    }

    /// Whether there are too many rings to look at all of them under one lock.
    pub(crate) fn is_wide(&self) -> bool {
        self.rings.len() > WIDE
    }

    /// Whether every reader has taken all there is, and waits.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.next_place.is_none() && self.waiters.len() == self.readers.len()
    }

    /// Removes the ring of a topic that is being forgotten. No reader may be behind: forgiven positions are stored by the
    /// index of a ring, and indexes change.
    pub(crate) fn remove_ring(&mut self, ring: &Arc<TopicRing>) {
        if let Some(place) = self.rings.iter().position(|known| Arc::ptr_eq(known, ring)) {
            self.rings.swap_remove(place);
        }
    }

    /// How often events that readers may have received were dropped.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Ends the search for rings: all topics that match were added, and from here on the feed sees each of their events.
    pub(in crate::hub) fn end_search(&mut self, head: u64) {
        self.next_place = None;
        self.forget_chunks();
        self.clear_recent(head);
    }

    /// The rings' highest evicted position.
    pub(crate) fn evicted(&self) -> u64 {
        self.rings.iter().map(|ring| ring.lock().evicted).max().unwrap_or(0)
    }

    /// Forgets everything: nothing is known of what happened up to `floor`.
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

    /// Drops the frames at `fork` and after it, before the rings do: from here on no reader is given any of them. The
    /// epoch table has `version` rows now.
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

    /// The first frames after `position` and up to `until` in one, up to `max` bytes but at least one.
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
    /// What compressing readers share; forgotten once they all have left.
    pub(crate) fn blocks(&mut self) -> Arc<SharedGzip> {
        self.blocks.upgrade().unwrap_or_else(|| {
            let blocks = Arc::default();
            self.blocks = Arc::downgrade(&blocks);
            blocks
        })
    }

    /// The same, if there are any such readers.
    pub(crate) fn live_blocks(&self) -> Option<Arc<SharedGzip>> {
        self.blocks.upgrade()
    }

    /// When the newest frame came.
    pub(crate) fn last_at(&self) -> Option<Instant> {
        self.last_at
    }
}

/// A number of readers or epochs, of which a process has fewer than four thousand million.
fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
