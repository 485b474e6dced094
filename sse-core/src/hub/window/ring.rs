use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    tagged::{TaggedFrame, TopicSet},
    totals::Totals,
};
use crate::hub::control_events;
use crate::{
    history::{Retention, Topic},
    resume::Cursor,
    wire::Frame,
};

/// Frames after a position were evicted before the reader took them, or must be gathered from many rings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evicted;

/// One topic of the window: its newest frames by position.
pub(crate) struct TopicRing {
    pub(crate) topic: Topic,
    pub(crate) retention: Retention,
    /// The ring's index among the window's topics.
    pub(in crate::hub) place: usize,
    ring: Mutex<Ring>,
}

/// The stored frames of a topic.
pub(crate) struct Ring {
    entries: VecDeque<RingEntry>,
    bytes: usize,
    /// The highest position evicted, or up to which this process knows nothing.
    pub(crate) evicted: u64,
    /// The cursor of the last record, if that is a finish, and when it was written here.
    pub(crate) finished: Option<(Cursor, Instant)>,
    /// Whether `finished` is certain although this process has received no record: the history was queried, or
    /// there is none.
    pub(crate) is_known: bool,
}

/// A frame and its position.
#[derive(Clone)]
pub(crate) struct RingEntry {
    pub(crate) seq: u64,
    pub(crate) at: Instant,
    pub(crate) frame: Frame,
    pub(crate) is_finish: bool,
    /// The event's topics, if it has others than the ring's.
    pub(crate) topics: Option<Arc<[Topic]>>,
}

impl RingEntry {
    /// Returns the frame with its topics; `topic` is the ring's.
    pub(crate) fn tagged(&self, topic: &Topic) -> TaggedFrame {
        let topics = match &self.topics {
            Some(topics) => TopicSet::Several(Arc::clone(topics)),
            None => TopicSet::One(topic.clone()),
        };
        TaggedFrame { seq: self.seq, frame: self.frame.clone(), topics }
    }
}

impl TopicRing {
    pub(crate) fn new(
        topic: Topic,
        retention: Retention,
        place: usize,
        evicted: u64,
        is_known: bool,
    ) -> Self {
        let ring = Ring { entries: VecDeque::new(), bytes: 0, evicted, finished: None, is_known };
        Self { topic, retention, place, ring: Mutex::new(ring) }
    }

    /// Returns what the ring adds to the window's totals: nothing while it has no events.
    pub(crate) fn totals(&self, ring: &Ring) -> Totals {
        let has_frames = usize::from(!ring.entries.is_empty());
        Totals {
            topics: has_frames,
            frames: ring.entries.len(),
            bytes: ring.bytes,
            names: has_frames * self.topic.as_str().len(),
        }
    }

    /// Returns the frame that finished the topic, if its last record did.
    pub(crate) fn end(&self) -> Option<(Cursor, Frame)> {
        let ring = self.lock();
        let (cursor, _) = ring.finished?;
        let kept = ring.entries.back().filter(|kept| kept.seq == cursor.seq());
        let announced = kept.map(|kept| kept.frame.clone());
        Some((
            cursor,
            announced.unwrap_or_else(|| {
                control_events::finish_block(control_events::end_lines(&self.topic), cursor)
            }),
        ))
    }

    /// Locks the ring; a leaf lock: no other lock is taken while it is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Adds the newest frame and evicts what the retention no longer allows.
    pub(crate) fn push(&mut self, kept: RingEntry, retention: &Retention) {
        let now = kept.at;
        self.bytes += kept.frame.bytes().len();
        self.is_known = true;
        self.entries.push_back(kept);
        self.trim(retention, now, usize::MAX);
    }

    /// Evicts what the retention no longer allows, at most `max` frames; returns how many.
    pub(crate) fn trim(&mut self, retention: &Retention, now: Instant, max: usize) -> usize {
        let mut evicted = 0;
        while let Some(oldest) = self.entries.front() {
            let age = now.saturating_duration_since(oldest.at);
            if evicted == max || retention.allows(self.entries.len(), self.bytes, age) {
                break;
            }
            self.evict_front();
            evicted += 1;
        }
        evicted
    }

    /// Evicts the oldest frame if it is at `seq`.
    pub(crate) fn evict(&mut self, seq: u64) {
        if self.entries.front().is_some_and(|oldest| oldest.seq == seq) {
            self.evict_front();
        }
    }

    /// Drops the frames at `fork` and after it, because they were replaced.
    ///
    /// The record before the fork is the topic's last one again, so the topic may be finished again.
    pub(crate) fn truncate(&mut self, fork: u64) {
        let keep = self.entries.partition_point(|kept| kept.seq < fork);
        self.bytes -= self.entries.drain(keep..).map(|kept| kept.frame.bytes().len()).sum::<usize>();
        self.evicted = self.evicted.min(fork.saturating_sub(1));
        self.finished = self.finished.filter(|(cursor, _)| cursor.seq() < fork);
        if let Some(last) = self.entries.back() {
            let finish = control_events::cursor_of(&last.frame).filter(|_| last.is_finish);
            self.finished = finish.map(|cursor| (cursor, last.at));
            self.is_known = true;
        } else if self.finished.is_none() {
            // Only the history knows the last record before the fork.
            self.is_known = false;
        }
    }

    /// Drops everything: what happened up to `floor` is unknown.
    pub(crate) fn skip_to(&mut self, floor: u64) {
        self.entries.clear();
        self.bytes = 0;
        self.evicted = self.evicted.max(floor);
        self.finished = None;
        self.is_known = false;
    }

    /// Returns the frames after `after`, oldest first.
    pub(crate) fn after(
        &self,
        after: u64,
    ) -> impl DoubleEndedIterator<Item = &RingEntry> + ExactSizeIterator + Clone {
        let start = self.entries.partition_point(|kept| kept.seq <= after);
        self.entries.range(start..)
    }

    /// Returns whether something after `position` was evicted, beyond the ignored evictions.
    pub(crate) fn misses_after(&self, position: u64, ignored_evictions: Option<&u64>) -> bool {
        self.evicted > position.max(ignored_evictions.copied().unwrap_or(0))
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.entries.back().map_or(self.evicted, |kept| kept.seq)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether a topic without readers can be forgotten without loss: it has no frame, and no finish to be
    /// remembered.
    pub(crate) fn is_quiet(&self, now: Instant, finish_memory: Duration) -> bool {
        let finish_is_old =
            self.finished.is_none_or(|(_, at)| now.saturating_duration_since(at) > finish_memory);
        self.entries.is_empty() && finish_is_old
    }

    fn evict_front(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= oldest.frame.bytes().len();
            self.evicted = self.evicted.max(oldest.seq);
        }
    }
}
