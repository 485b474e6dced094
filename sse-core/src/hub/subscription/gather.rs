//! How a reader of very many topics catches up.
//!
//! To merge the rings under one lock would block publishers. So the rings are read in steps, in turn for the
//! window's lock, and other tasks run in between. No frame is missed: only frames up to the feed's newest at the
//! beginning are gathered, all of them are in their rings by then, and if a ring has lost one meanwhile, the
//! gathering detects it.

use std::{
    collections::BTreeMap,
    task::{Context, Poll},
};

use crate::hub::{
    Subscription, feeds::chunk::CHUNK_BYTES, feeds::feed::FeedInner, options::filter::Candidates,
    options::permission::Access, window::attach::TOPICS_AT_ONCE, window::tagged::TaggedFrame,
};

/// The progress of a gathering.
pub(in crate::hub) struct Gathering {
    /// The reader's position, the feed and its cuts at the beginning. If one of them changes, the gathering
    /// starts again.
    position: u64,
    cuts: u64,
    feed: u64,
    /// The position up to which the gathered frames are complete.
    until: u64,
    /// The index of the ring to read next.
    next: usize,
    found: BTreeMap<u64, TaggedFrame>,
    bytes: usize,
    /// The highest position that was evicted before the reader could take it.
    missed: Option<u64>,
}

impl Gathering {
    fn new(position: u64, feed: u64, missed: Option<u64>, inner: &FeedInner) -> Self {
        let (until, cuts) = (inner.last, inner.cuts());
        Self { position, cuts, feed, until, next: 0, found: BTreeMap::new(), bytes: 0, missed }
    }

    fn is_of(&self, position: u64, feed: u64, inner: &FeedInner) -> bool {
        self.position == position && self.feed == feed && self.cuts == inner.cuts()
    }

    /// Reads the next rings; returns whether these were the last.
    fn step(&mut self, inner: &FeedInner, ignored_evictions: &[u64], max: usize) -> bool {
        let rings = inner.rings.iter().enumerate().skip(self.next).take(TOPICS_AT_ONCE);
        for (index, topic_ring) in rings {
            self.next = index + 1;
            let ring = topic_ring.lock();
            if ring.misses_after(self.position, ignored_evictions.get(index)) {
                self.missed = self.missed.max(Some(ring.evicted));
                continue;
            }
            for kept in ring.after(self.position) {
                if kept.seq > self.until {
                    break;
                }
                // A frame of several topics is in several rings; the first copy found is as good as the others.
                if self.found.contains_key(&kept.seq) {
                    continue;
                }
                self.bytes += kept.frame.bytes().len();
                self.found.insert(kept.seq, kept.tagged(&topic_ring.topic));
                self.keep_within(max);
            }
        }
        self.next >= inner.rings.len()
    }

    /// Drops the newest frames that do not fit; the reader takes them later.
    fn keep_within(&mut self, max: usize) {
        while self.bytes > max && self.found.len() > 1 {
            let Some((seq, newest)) = self.found.pop_last() else { return };
            self.bytes -= newest.frame.bytes().len();
            self.until = seq - 1;
        }
    }
}

impl Subscription {
    /// Returns whether the reader is behind and its missing events may be in more rings than are read under one
    /// lock.
    pub(in crate::hub) fn must_gather(&self) -> bool {
        self.feed.lock().is_wide()
    }

    /// Gathers the events after the reader's position, which are sent before the next poll. Returns the highest
    /// position that was evicted, if any was.
    pub(in crate::hub) fn poll_gathering(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let forgotten_floor =
            Some(self.forgotten_floor).filter(|forgotten_floor| *forgotten_floor > self.position);
        let max = match self.access() {
            Access::Full(_) => CHUNK_BYTES,
            Access::Filtered(sieve) => sieve.reach(),
        };
        let known = self.extras.get_or_insert_default().gathering.take();
        let (gathering, is_complete) = {
            let _turn = self.hub.window().lock_in_turn();
            let inner = self.feed.lock();
            let known = known.filter(|known| known.is_of(self.position, self.feed.id, &inner));
            let mut gathering = known.unwrap_or_else(|| {
                Box::new(Gathering::new(self.position, self.feed.id, forgotten_floor, &inner))
            });
            let is_complete = gathering.step(&inner, self.ignored_evictions(), max);
            (gathering, is_complete)
        };
        if !is_complete {
            self.extras.get_or_insert_default().gathering = Some(gathering);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if gathering.missed.is_none() {
            self.take_gathered(*gathering);
            return Poll::Ready(None);
        }
        Poll::Ready(gathering.missed)
    }

    fn take_gathered(&mut self, gathering: Gathering) {
        let Gathering { found, until, .. } = gathering;
        if found.is_empty() {
            self.move_to(until.max(self.position));
            return;
        }
        // A reader without a filter has one that withholds nothing.
        self.filter_events(&self.sieve(), Candidates::Events(found.into_values().collect()));
    }
}
