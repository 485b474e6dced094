use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{feed::Feed, forgotten::Forgotten, keys::Keys, notice, ring::TopicRing};
use crate::{
    history::{Pattern, Topic},
    resume::{Cursor, Epochs},
    waiters::Waiters,
    wire::MAX_RETRY,
};

/// How long a finished topic is remembered: longer than any reader waits before it reconnects.
const FINISH_MEMORY: Duration = Duration::from_secs(2 * MAX_RETRY.as_secs());

/// What the window holds, behind its lock.
pub(crate) struct State {
    pub(crate) epochs: Epochs,
    pub(super) head: u64,
    /// The check of the record at the head, where the history needs one.
    pub(super) head_check: Option<u32>,
    pub(super) topics: HashMap<Topic, Arc<TopicRing>>,
    pub(crate) forgotten: Forgotten,
    /// Every frame kept, oldest first, to find what to evict when the total is reached.
    pub(super) order: VecDeque<(u64, Arc<TopicRing>)>,
    pub(super) frames: usize,
    pub(super) bytes: usize,
    pub(super) feeds: HashMap<Box<[Pattern]>, Arc<Feed>>,
    pub(super) keys: Keys,
    pub(super) head_waiters: Waiters,
}

impl State {
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The cursor that says "everything up to `seq`", with the record's check if this window knows it.
    pub(crate) fn cursor_at(&self, seq: u64) -> Cursor {
        let cursor = self.epochs.cursor(seq);
        match self.head_check.filter(|_| seq == self.head) {
            Some(check) => cursor.with_check(check),
            None => {
                self.kept_cursor(seq).and_then(Cursor::check).map_or(cursor, |check| cursor.with_check(check))
            }
        }
    }

    /// The cursor of the frame at `seq`, if the window still holds it.
    pub(crate) fn kept_cursor(&self, seq: u64) -> Option<Cursor> {
        let place = self.order.partition_point(|(kept, _)| *kept < seq);
        let (_, ring) = self.order.get(place).filter(|(kept, _)| *kept == seq)?;
        let ring = ring.lock();
        let kept = ring.after(seq.saturating_sub(1)).next().filter(|kept| kept.seq == seq)?;
        notice::cursor_of(&kept.frame)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<TopicRing>> {
        self.topics.values()
    }

    pub(crate) fn feeds_of(&self, topics: &[Topic]) -> Vec<Arc<Feed>> {
        let mut feeds: Vec<Arc<Feed>> = Vec::new();
        for ring in topics.iter().filter_map(|topic| self.topics.get(topic)) {
            for feed in &ring.lock().feeds {
                if !feeds.iter().any(|known| Arc::ptr_eq(known, feed)) {
                    feeds.push(Arc::clone(feed));
                }
            }
        }
        // A topic without a ring has no exact reader, but wildcards may stand for it.
        for topic in topics.iter().filter(|topic| !self.topics.contains_key(*topic)) {
            for feed in self.feeds.values() {
                if feed.matches(topic) && !feeds.iter().any(|known| Arc::ptr_eq(known, feed)) {
                    feeds.push(Arc::clone(feed));
                }
            }
        }
        feeds
    }

    /// Forgets the topic of `ring` if nothing would be lost.
    ///
    /// `ring` may have been found under an earlier hold of the lock. The topic may have a newer ring since, which has
    /// readers, so only the ring that is still the topic's own is removed.
    pub(super) fn forget_if_idle(&mut self, ring: &Arc<TopicRing>, now: Instant) {
        if self.topics.get(&ring.topic).is_none_or(|current| !Arc::ptr_eq(current, ring)) {
            return;
        }
        let (is_idle, evicted) = {
            let inner = ring.lock();
            (inner.is_idle(now, FINISH_MEMORY), inner.evicted)
        };
        if is_idle {
            self.topics.remove(&ring.topic);
            self.forgotten.insert(ring.topic.clone(), evicted);
        }
    }
}
