use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::Waker,
};

use tokio::time::Instant;

#[cfg(feature = "compress")]
use super::blocks::Blocks;
use super::{
    chunk::{CHUNK_BYTES, Chunk},
    labels::{Labelled, Labels},
    merge::merged,
    permission::FullAccess,
    reader::Reader,
    ring::TopicRing,
};
use crate::{
    history::{Pattern, Topic},
    waiters::Waiters,
    wire::Frame,
};

/// How many frames a feed of several topics keeps merged for its readers; who is further behind merges the rings.
const RECENT: usize = 128;

/// How many signals a feed keeps for readers that have not been woken yet.
const SIGNALS: usize = 64;

/// How many built chunks a feed keeps for the readers at the same places.
const CHUNKS: usize = 4;

/// What all readers of the same topics share: one for each set of patterns that is asked for.
pub(crate) struct Feed {
    pub(crate) patterns: Box<[Pattern]>,
    /// Whether no pattern has wildcards, so that the feed can come to an end.
    pub(crate) is_exact: bool,
    inner: Mutex<FeedInner>,
}

pub(crate) struct FeedInner {
    pub(crate) rings: Vec<Arc<TopicRing>>,
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
    recent: VecDeque<Labelled>,
    recent_floor: u64,
    signals: VecDeque<Labelled>,
    last_signal: u64,
    chunks: VecDeque<Chunk>,
    /// How often what had been told was forgotten.
    #[cfg(feature = "compress")]
    cuts: u64,
    /// What compressing readers share, while there are any.
    #[cfg(feature = "compress")]
    blocks: std::sync::Weak<Blocks>,
}

/// Frames after a position were evicted before the reader could take them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evicted;

impl Feed {
    /// A feed over `rings`, at the hub's `head` and with `version` rows of its epoch table.
    pub(crate) fn new(
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
            readers: Vec::new(),
            waiters: Waiters::default(),
            last,
            version: short(version),
            last_at: None,
            finished,
            recent: VecDeque::new(),
            recent_floor: head,
            signals: VecDeque::new(),
            last_signal: 0,
            chunks: VecDeque::new(),
            #[cfg(feature = "compress")]
            cuts: 0,
            #[cfg(feature = "compress")]
            blocks: std::sync::Weak::new(),
        };
        Self { patterns, is_exact, inner: Mutex::new(inner) }
    }

    /// May be locked under the window's lock, and a ring's lock under this one.
    pub(crate) fn lock(&self) -> MutexGuard<'_, FeedInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
        }
    }

    /// Adds the ring of a topic that has just appeared.
    pub(crate) fn add_ring(&mut self, ring: Arc<TopicRing>) {
        self.rings.push(ring);
        // A feed of one topic merges nothing; from here on this one does.
        self.recent.clear();
        self.recent_floor = self.recent_floor.max(self.last);
    }

    /// Takes notice of a frame that its ring holds already, and takes out who waits for it.
    pub(crate) fn push(
        &mut self,
        seq: u64,
        at: Instant,
        frame: &Frame,
        labels: &Labels,
    ) -> Vec<Option<Waker>> {
        if self.rings.len() > 1 {
            if self.waiters.len() == self.readers.len() {
                // Everyone has taken all there was: only what comes now is still needed.
                self.recent.clear();
                self.recent_floor = self.recent_floor.max(self.last);
            }
            self.recent.push_back(Labelled { seq, frame: frame.clone(), labels: labels.clone() });
            if self.recent.len() > RECENT
                && let Some(evicted) = self.recent.pop_front()
            {
                self.recent_floor = evicted.seq;
            }
        }
        self.last = seq;
        self.last_at = Some(at);
        self.waiters.take()
    }

    /// Keeps a signal for the readers of now, and takes out who waits.
    pub(crate) fn signal(&mut self, frame: &Frame, labels: &Labels) -> Vec<Option<Waker>> {
        if self.readers.is_empty() {
            return Vec::new();
        }
        self.last_signal += 1;
        let seq = self.last_signal;
        self.signals.push_back(Labelled { seq, frame: frame.clone(), labels: labels.clone() });
        if self.signals.len() > SIGNALS {
            self.signals.pop_front();
        }
        self.waiters.take()
    }

    pub(crate) fn last_signal(&self) -> u64 {
        self.last_signal
    }

    /// The signals after `seen`; the oldest of them may be gone, signals are not kept.
    pub(crate) fn signals_after(&self, seen: u64, most: usize, _: FullAccess) -> Option<Chunk> {
        if seen >= self.last_signal {
            return None;
        }
        Chunk::first_of(seen, self.unseen_signals(seen).map(Labelled::placed), most)
    }

    pub(crate) fn unseen_signals(&self, seen: u64) -> impl Iterator<Item = &Labelled> + Clone {
        self.signals.iter().filter(move |signal| signal.seq > seen)
    }

    /// What follows `position`, if a feed of several topics still has it merged.
    pub(crate) fn recent_after(&self, position: u64) -> Option<impl Iterator<Item = &Labelled> + Clone> {
        if self.rings.len() == 1 || position < self.recent_floor {
            return None;
        }
        let start = self.recent.partition_point(|event| event.seq <= position);
        Some(self.recent.range(start..))
    }

    /// The bytes after `position`: those that another reader at the same place was given, or new ones.
    ///
    /// What each ring had evicted up to `forgiven` is not missed.
    #[inline]
    pub(crate) fn chunk_after(
        &mut self,
        position: u64,
        forgiven: &[u64],
        most: usize,
        access: FullAccess,
    ) -> Result<Option<Chunk>, Evicted> {
        if self.last <= position {
            return Ok(None);
        }
        // What one reader is forgiven another may miss, so only what nobody misses is shared.
        let shares = most == CHUNK_BYTES && self.readers.len() > 1 && forgiven.is_empty();
        if shares && let Some(chunk) = self.chunks.iter().find(|chunk| chunk.from == position) {
            return Ok(Some(chunk.clone()));
        }
        let Some(mut chunk) = self.joined_after(position, self.last, forgiven, most, access)? else {
            return Ok(None);
        };
        // Reading the clock for each reader would cost as much as all the rest.
        chunk.at = self.last_at.filter(|_| chunk.to == self.last);
        if shares {
            self.chunks.push_front(chunk.clone());
            self.chunks.truncate(CHUNKS);
        }
        Ok(Some(chunk))
    }

    /// The rings' highest evicted position.
    pub(crate) fn evicted(&self) -> u64 {
        self.rings.iter().map(|ring| ring.lock().evicted).max().unwrap_or(0)
    }

    /// Forgets everything: nothing is known of what happened up to `floor`.
    pub(crate) fn skip_to(&mut self, floor: u64) -> Vec<Option<Waker>> {
        self.forget_chunks();
        self.recent.clear();
        self.recent_floor = floor;
        self.last = floor;
        self.finished = 0;
        self.waiters.take()
    }

    fn forget_chunks(&mut self) {
        self.chunks.clear();
        #[cfg(feature = "compress")]
        {
            self.cuts += 1;
        }
    }

    /// Forgets what stands at `fork` and after it; the epoch table has `version` rows now.
    pub(crate) fn truncate(&mut self, fork: u64, version: usize) -> Vec<Option<Waker>> {
        self.version = short(version);
        self.forget_chunks();
        self.recent.retain(|event| event.seq < fork);
        self.recent_floor = self.recent_floor.min(fork.saturating_sub(1));
        self.last = 0;
        self.finished = 0;
        for ring in &self.rings {
            let ring = ring.lock();
            self.last = self.last.max(ring.last_seq());
            self.finished += usize::from(ring.finished.is_some());
        }
        self.waiters.take()
    }

    /// The first frames after `position` and up to `until` in one, up to `most` bytes but at least one.
    pub(super) fn joined_after(
        &self,
        position: u64,
        until: u64,
        forgiven: &[u64],
        most: usize,
        _: FullAccess,
    ) -> Result<Option<Chunk>, Evicted> {
        let until = until.min(self.last);
        match (&*self.rings, self.recent_after(position)) {
            ([ring], _) => {
                let ring = ring.lock();
                if ring.misses_after(position, forgiven.first()) {
                    return Err(Evicted);
                }
                let frames = ring.after(position).take_while(|kept| kept.seq <= until);
                Ok(Chunk::first_of(position, frames.map(|kept| (kept.seq, &kept.frame)), most))
            }
            (_, Some(recent)) => {
                let frames = recent.take_while(|event| event.seq <= until);
                Ok(Chunk::first_of(position, frames.map(Labelled::placed), most))
            }
            (rings, None) => {
                let frames = merged(rings, position..until, forgiven, most)?;
                Ok(Chunk::first_of(position, frames.iter().map(|(seq, frame)| (*seq, frame)), most))
            }
        }
    }
}

#[cfg(feature = "compress")]
impl FeedInner {
    /// What compressing readers share; forgotten once they all have left.
    pub(crate) fn blocks(&mut self) -> Arc<Blocks> {
        self.blocks.upgrade().unwrap_or_else(|| {
            let blocks = Arc::default();
            self.blocks = Arc::downgrade(&blocks);
            blocks
        })
    }

    /// The same, if there are any such readers.
    pub(crate) fn live_blocks(&self) -> Option<Arc<Blocks>> {
        self.blocks.upgrade()
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.cuts
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
