use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;

use super::chunk::{CHUNK_BYTES, Chunk};
use crate::hub::{
    options::permission::FullAccess,
    window::merge::merged,
    window::ring::{Evicted, TopicRing},
    window::tagged::{TaggedFrame, TopicSet},
};
use crate::wire::Frame;

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
/// `gathering.rs`.
const WIDE: usize = 256;

/// What a feed has for readers that are behind: its rings, the merged recent frames, signals and built chunks.
pub(crate) struct Backlog {
    pub(crate) rings: Vec<Arc<TopicRing>>,
    /// The position of the newest frame for this feed; `last_at` is when it arrived.
    pub(crate) last: u64,
    last_at: Option<Instant>,
    /// In a feed of several topics: everything after `recent_floor`, merged.
    recent: VecDeque<TaggedFrame>,
    recent_bytes: usize,
    recent_floor: u64,
    signals: VecDeque<TaggedFrame>,
    signal_bytes: usize,
    last_signal: u64,
    chunks: VecDeque<Chunk>,
    generation: u64,
}

impl Backlog {
    /// Creates a backlog over `rings`, at the hub's `head`.
    pub(crate) fn new(rings: Vec<Arc<TopicRing>>, head: u64) -> Self {
        let last = rings.iter().map(|ring| ring.lock().last_seq()).max().unwrap_or(0);
        Self {
            rings,
            last,
            last_at: None,
            recent: VecDeque::new(),
            recent_bytes: 0,
            recent_floor: head,
            signals: VecDeque::new(),
            signal_bytes: 0,
            last_signal: 0,
            chunks: VecDeque::new(),
            generation: 0,
        }
    }

    /// Frees what is kept for readers that are behind, because there are none.
    pub(in crate::hub) fn release(&mut self) {
        self.chunks.clear();
        self.signals.clear();
        self.signal_bytes = 0;
        self.clear_merged();
    }

    /// Drops the merged frames, because every reader has taken all of them: only new ones are needed.
    pub(in crate::hub) fn clear_merged(&mut self) {
        self.clear_recent(self.recent_floor.max(self.last));
    }

    /// Drops the merged frames. From now on, frames after `floor` are merged.
    fn clear_recent(&mut self, floor: u64) {
        self.recent.clear();
        self.recent_bytes = 0;
        self.recent_floor = floor;
    }

    /// Returns whether the frames of several topics are merged.
    pub(in crate::hub) fn is_merging(&self) -> bool {
        self.rings.len() > 1
    }

    /// Adds the ring of a topic that has just appeared.
    pub(crate) fn add_ring(&mut self, ring: Arc<TopicRing>) {
        self.rings.push(ring);
        if self.rings.len() == 2 {
            // A feed of one topic merges nothing; with the second topic, merging starts here.
            self.clear_merged();
        }
    }

    /// Removes the ring of a topic that is being forgotten. All readers must be up to date: ignored evictions
    /// are stored by the index of a ring, and indexes change.
    pub(crate) fn remove_ring(&mut self, ring: &Arc<TopicRing>) {
        if let Some(index) = self.rings.iter().position(|known| Arc::ptr_eq(known, ring)) {
            self.rings.swap_remove(index);
        }
    }

    /// Records a frame that its ring already holds.
    pub(in crate::hub) fn push(&mut self, seq: u64, at: Instant, frame: &Frame, topics: &TopicSet) {
        if self.is_merging() {
            self.recent.push_back(TaggedFrame { seq, frame: frame.clone(), topics: topics.clone() });
            self.recent_bytes += frame.bytes().len();
            while self.recent.len() > RECENT || (self.recent_bytes > RECENT_BYTES && self.recent.len() > 1) {
                let Some(evicted) = self.recent.pop_front() else { break };
                self.recent_bytes -= evicted.frame.bytes().len();
                self.recent_floor = evicted.seq;
            }
        }
        self.last = seq;
        self.last_at = Some(at);
    }

    /// Keeps a signal for the readers connected now.
    pub(in crate::hub) fn push_signal(&mut self, frame: &Frame, topics: &TopicSet) {
        self.last_signal += 1;
        let seq = self.last_signal;
        self.signal_bytes += frame.bytes().len();
        self.signals.push_back(TaggedFrame { seq, frame: frame.clone(), topics: topics.clone() });
        while self.signals.len() > SIGNALS || (self.signal_bytes > SIGNAL_BYTES && self.signals.len() > 1) {
            let Some(oldest) = self.signals.pop_front() else { break };
            self.signal_bytes -= oldest.frame.bytes().len();
        }
    }

    pub(crate) fn last_signal(&self) -> u64 {
        self.last_signal
    }

    /// Returns when the newest frame arrived.
    pub(crate) fn last_at(&self) -> Option<Instant> {
        self.last_at
    }

    /// Returns the signals after `seen`; the oldest of them may already be dropped, because signals are not
    /// stored.
    pub(crate) fn signals_after(&self, seen: u64, max: usize, _: FullAccess) -> Option<Chunk> {
        if seen >= self.last_signal {
            return None;
        }
        Chunk::first_of(seen, self.unseen_signals(seen).map(TaggedFrame::positioned), max)
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

    /// Returns the bytes after `position`: if readers share chunks, those that another reader at the same
    /// position got, or new ones.
    ///
    /// Events that a ring evicted up to its entry in `ignored_evictions` do not count as missed.
    #[inline]
    pub(in crate::hub) fn chunk_after(
        &mut self,
        position: u64,
        ignored_evictions: &[u64],
        max: usize,
        shares: bool,
        access: FullAccess,
    ) -> Result<Option<Chunk>, Evicted> {
        if self.last <= position {
            return Ok(None);
        }
        // An eviction that one reader ignores may be a gap for another, so only chunks without ignored evictions
        // are shared.
        let shares = shares && max == CHUNK_BYTES && ignored_evictions.is_empty();
        if shares && let Some(chunk) = self.chunks.iter().find(|chunk| chunk.from == position) {
            return Ok(Some(chunk.clone()));
        }
        let Some(mut chunk) = self.joined_after(position, self.last, ignored_evictions, max, access)? else {
            return Ok(None);
        };
        // Reading the clock for each reader would cost as much as all the rest.
        chunk.at = self.last_at().filter(|_| chunk.to == self.last);
        if shares {
            self.chunks.push_front(chunk.clone());
            while self.chunks.len() > CHUNKS || (self.cached_bytes() > CACHED_BYTES && self.chunks.len() > 1)
            {
                self.chunks.pop_back();
            }
        }
        Ok(Some(chunk))
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
                Ok(Chunk::first_of(position, frames.map(TaggedFrame::positioned), max))
            }
            (_, None) if self.is_wide() => Err(Evicted),
            (rings, None) => {
                let frames = merged(rings, position..until, ignored_evictions, max)?;
                Ok(Chunk::first_of(position, frames.iter().map(|(seq, frame)| (*seq, frame)), max))
            }
        }
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

    /// Returns how often events were dropped that readers may have received.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the highest evicted position of the rings.
    pub(crate) fn evicted(&self) -> u64 {
        self.rings.iter().map(|ring| ring.lock().evicted).max().unwrap_or(0)
    }

    /// Starts over: the frames after `floor` are complete, and nothing earlier is kept.
    pub(in crate::hub) fn start_over(&mut self, floor: u64) {
        self.drop_chunks();
        self.clear_recent(floor);
    }

    fn drop_chunks(&mut self) {
        self.chunks.clear();
        self.generation += 1;
    }

    /// Drops the frames at `fork` and after it, before the rings do: from now on readers get none of them.
    pub(in crate::hub) fn truncate(&mut self, fork: u64) {
        let last = fork.saturating_sub(1);
        self.drop_chunks();
        self.recent.retain(|event| event.seq < fork);
        self.recent_bytes = self.recent.iter().map(|event| event.frame.bytes().len()).sum();
        self.recent_floor = self.recent_floor.min(last);
        self.last = self.last.min(last);
        self.last_at = None;
    }
}
