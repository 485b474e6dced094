use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::Waker,
};

use tokio::time::Instant;

use super::{backlog::Backlog, chunk::Chunk, gzip::FeedGzip};
use crate::hub::{
    options::permission::FullAccess,
    readers::commands::ReaderFeed,
    readers::reader::Reader,
    window::ring::{Evicted, TopicRing},
    window::tagged::TopicSet,
};
use crate::{
    history::{Pattern, Topic},
    resume::EpochsVersion,
    waiters::{Slot, Waiters, wake},
    wire::Frame,
};

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
    pub(in crate::hub) backlog: Backlog,
    /// The index among the window's topics at which the search for matching rings continues; see `survey.rs`.
    pub(in crate::hub) next_place: Option<usize>,
    pub(crate) readers: Vec<Arc<Reader>>,
    pub(crate) waiters: Waiters,
    /// The epoch table that the feed has applied: a reader that has applied an earlier one must check for a fork.
    pub(crate) version: EpochsVersion,
    /// The number of finished rings.
    pub(crate) finished: usize,
    /// What compressing readers share, while the feed has any.
    pub(in crate::hub) gzip: FeedGzip,
}

impl Feed {
    /// Creates a feed over `rings`, at the hub's `head` and with this version of its epoch table.
    pub(crate) fn new(
        id: u64,
        patterns: Box<[Pattern]>,
        rings: Vec<Arc<TopicRing>>,
        head: u64,
        version: EpochsVersion,
    ) -> Self {
        let is_exact = patterns.iter().all(Pattern::is_exact);
        let finished = rings.iter().filter(|ring| ring.lock().finished.is_some()).count();
        let inner = FeedInner {
            backlog: Backlog::new(rings, head),
            next_place: (!is_exact).then_some(0),
            readers: Vec::new(),
            waiters: Waiters::default(),
            version,
            finished,
            gzip: FeedGzip::default(),
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

impl ReaderFeed for Feed {
    fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    fn count_after(&self, position: u64) -> usize {
        let feed = self.lock();
        if feed.backlog.last <= position {
            return 0;
        }
        feed.backlog.rings.iter().map(|ring| ring.lock().after(position).len()).sum()
    }

    fn wake_readers(&self) {
        let waiting = self.lock().waiters.take();
        wake(waiting);
    }
}

impl FeedInner {
    pub(crate) fn add_reader(&mut self, reader: Arc<Reader>) {
        reader.index.store(index_of(self.readers.len()), Ordering::Relaxed);
        self.readers.push(reader);
    }

    /// Removes a reader; does nothing if it was already removed.
    pub(crate) fn remove_reader(&mut self, reader: &Arc<Reader>) {
        let index = reader.index.load(Ordering::Relaxed) as usize;
        if self.readers.get(index).is_some_and(|kept| Arc::ptr_eq(kept, reader)) {
            self.readers.swap_remove(index);
            if let Some(moved) = self.readers.get(index) {
                moved.index.store(index_of(index), Ordering::Relaxed);
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
        if self.waiters.len() >= self.readers.len() {
            self.backlog.release();
        }
    }

    /// Records a frame that its ring already holds; returns the wakers of the readers that waited for it.
    pub(crate) fn push(
        &mut self,
        seq: u64,
        at: Instant,
        frame: &Frame,
        topics: &TopicSet,
    ) -> Vec<Option<Waker>> {
        if self.backlog.is_merging() && self.waiters.len() == self.readers.len() {
            self.backlog.clear_merged();
        }
        self.backlog.push(seq, at, frame, topics);
        self.waiters.take()
    }

    /// Keeps a signal for the readers connected now; returns the wakers of those that waited.
    pub(crate) fn signal(&mut self, frame: &Frame, topics: &TopicSet) -> Vec<Option<Waker>> {
        if self.readers.is_empty() {
            return Vec::new();
        }
        self.backlog.push_signal(frame, topics);
        self.waiters.take()
    }

    /// Returns the bytes after `position`; see [`Backlog::chunk_after`].
    #[inline]
    pub(crate) fn chunk_after(
        &mut self,
        position: u64,
        ignored_evictions: &[u64],
        max: usize,
        access: FullAccess,
    ) -> Result<Option<Chunk>, Evicted> {
        let shares = self.readers.len() > 1;
        self.backlog.chunk_after(position, ignored_evictions, max, shares, access)
    }

    /// Returns whether every reader has taken everything and waits.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.next_place.is_none() && self.waiters.len() == self.readers.len()
    }

    /// Ends the search for rings: all matching topics were added, and from now on the feed gets each of their
    /// events.
    pub(in crate::hub) fn end_search(&mut self, head: u64) {
        self.next_place = None;
        self.backlog.start_over(head);
    }

    /// Forgets everything: what happened up to `floor` is unknown.
    pub(crate) fn skip_to(&mut self, floor: u64) -> Vec<Option<Waker>> {
        self.backlog.start_over(floor);
        self.backlog.last = floor;
        self.finished = 0;
        self.waiters.take()
    }

    /// Drops the frames at `fork` and after it, before the rings do: from now on readers get none of them. The
    /// epoch table now has this version.
    pub(crate) fn truncate(&mut self, fork: u64, version: EpochsVersion) -> Vec<Option<Waker>> {
        self.version = version;
        self.backlog.truncate(fork);
        self.waiters.take()
    }
}

/// Converts an index among a feed's readers, of which a process has fewer than 2^32.
fn index_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
