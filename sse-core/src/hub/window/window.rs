use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use tokio::time::Instant;

use super::{
    dedup::RecentKeys, forgotten::ForgottenTopics, order::Order, ring::TopicRing, state::State,
    tagged::TopicSet, topic_feeds::TopicFeeds, topics::Topics, totals::Totals,
};
use crate::hub::{feeds::feed::Feed, feeds::feeds::Feeds, feeds::wildcards::Wildcards, stats::Counters};
use crate::{
    history::{Pattern, Retention, Topic},
    resume::{Cursor, Epoch, EpochTable, EpochsVersion},
    waiters::{Slot, Waiters, wake_all},
    wire::Frame,
};

#[cfg(test)]
mod tests;

/// How often a step yields to threads that wait for the lock before it competes with them.
const PATIENCE: usize = 32;

/// Recent frames by topic, and the feeds that read them.
///
/// Everything is appended under one short lock, so no position below the head is missing. Lock order: the
/// window, then a feed, then a ring.
pub(crate) struct Window {
    head: AtomicU64,
    /// The version of the epoch table; a reader that has applied an earlier one checks for a fork.
    version: AtomicU32,
    state: Mutex<State>,
    /// The number of threads that wait for the state's lock.
    waiting: AtomicUsize,
    retentions: Retentions,
    pub(in crate::hub) total_bytes: usize,
    /// Whether a history may hold what is not in a ring.
    has_history: bool,
    pub(crate) counters: Counters,
}

/// The default retention, and the retentions of some topics.
pub(crate) struct Retentions {
    pub(crate) all: Retention,
    pub(crate) some: Vec<(Pattern, Retention)>,
}

/// The result of comparing with the history's epoch table.
#[derive(Debug)]
pub(crate) struct Learned {
    /// Whether a row was added.
    pub(crate) is_news: bool,
    /// Whether something here was replaced.
    pub(crate) is_rewritten: bool,
    /// The rows known here, up to and with the newest epoch of the history's table.
    pub(crate) known: EpochTable,
}

impl Window {
    pub(crate) fn new(
        retentions: Retentions,
        total_bytes: usize,
        epochs: EpochTable,
        head: u64,
        has_history: bool,
    ) -> Self {
        let state = State {
            head,
            head_check: None,
            topics: Topics::default(),
            topic_feeds: TopicFeeds::default(),
            forgotten: ForgottenTopics::new(head),
            order: Order::default(),
            totals: Totals::default(),
            feeds: Feeds::default(),
            wildcards: Wildcards::default(),
            keys: RecentKeys::default(),
            head_waiters: Waiters::default(),
            epochs,
        };
        Self {
            head: head.into(),
            version: state.epochs.version().to_bits().into(),
            state: Mutex::new(state),
            waiting: AtomicUsize::new(0),
            retentions,
            total_bytes,
            has_history,
            counters: Counters::default(),
        }
    }

    /// Returns the head: every event up to it can be read by its readers.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    pub(crate) fn version(&self) -> EpochsVersion {
        EpochsVersion::from_bits(self.version.load(Ordering::Acquire))
    }

    pub(in crate::hub) fn set_head(&self, head: u64) {
        self.head.store(head, Ordering::Release);
    }

    pub(in crate::hub) fn set_version(&self, version: EpochsVersion) {
        self.version.store(version.to_bits(), Ordering::Release);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                state
            }
        }
    }

    /// Locks for one step of a longer walk. Threads that already wait get the lock first, which a mutex does not
    /// ensure.
    pub(in crate::hub) fn lock_in_turn(&self) -> MutexGuard<'_, State> {
        for _ in 0..PATIENCE {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                break;
            }
            std::thread::yield_now();
        }
        self.lock()
    }

    /// Records which requested topics, according to the history, were finished before this process received
    /// anything of them.
    ///
    /// `epochs` is the history's table when it was queried. If the history forked since, its answer is out of
    /// date.
    pub(crate) fn merge_finished(&self, feed: &Feed, epochs: &EpochTable, finished: &[(Topic, Cursor)]) {
        let now = Instant::now();
        // While the window is locked, nothing is appended.
        let state = self.lock();
        if epochs.current() != state.epochs.current() {
            return;
        }
        let rings = feed.lock().backlog.rings.clone();
        for topic_ring in rings.iter().filter(|ring| state.topics.holds(ring)) {
            {
                let mut ring = topic_ring.lock();
                if ring.is_known {
                    continue;
                }
                ring.is_known = true;
                let Some((_, cursor)) = finished.iter().find(|(topic, _)| *topic == topic_ring.topic) else {
                    continue;
                };
                ring.finished = Some((*cursor, now));
            }
            for feed in state.topic_feeds.of(topic_ring) {
                feed.lock().finished += 1;
            }
        }
    }

    /// Sends a signal to the readers connected now; returns how many there are.
    pub(crate) fn signal(&self, topics: &[Topic], frame: &Frame) -> usize {
        let feeds = self.lock().feeds_of(topics);
        let topics = TopicSet::new(topics);
        let mut receivers = 0;
        let mut waiting = Vec::with_capacity(feeds.len());
        for feed in feeds {
            let mut feed = feed.lock();
            receivers += feed.readers.len();
            waiting.push(feed.signal(frame, &topics));
        }
        wake_all(waiting);
        receivers
    }

    /// Records that the history was trimmed past the head before this process received the records there.
    pub(crate) fn skip_to(&self, oldest: u64) {
        let floor = oldest.saturating_sub(1);
        let mut waiting = Vec::new();
        {
            let mut state = self.lock();
            if floor <= state.head {
                return;
            }
            for place in 0..state.topics.places() {
                if let Some(ring) = state.topics.at(place) {
                    ring.lock().skip_to(floor);
                }
            }
            state.forgotten.raise(floor);
            state.order.clear();
            state.totals = Totals::default();
            state.head = floor;
            state.head_check = None;
            self.set_head(floor);
            waiting.push(state.head_waiters.take());
            for feed in state.feeds.values() {
                waiting.push(feed.lock().skip_to(floor));
            }
        }
        wake_all(waiting);
    }

    /// Waits until the window has passed the record at this cursor: that record, not another one at its
    /// position.
    pub(crate) async fn reaches(&self, cursor: Cursor) {
        let mut waiter = HeadWaiter { window: self, slot: Slot::default() };
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if state.head >= cursor.seq() && state.epochs.names(cursor) {
                return std::task::Poll::Ready(());
            }
            state.head_waiters.register(&mut waiter.slot, cx.waker());
            std::task::Poll::Pending
        })
        .await;
    }

    /// Returns the ring of `topic`; a new one is added to the feeds whose wildcards match it.
    pub(in crate::hub) fn ring(&self, state: &mut State, topic: &Topic) -> Arc<TopicRing> {
        if let Some(ring) = state.topics.get(topic) {
            return Arc::clone(ring);
        }
        let evicted = state.forgotten.remove(topic);
        let ring = state.topics.insert(|place| self.new_ring(topic.clone(), place, evicted));
        let mut feeds = Vec::new();
        let State { wildcards, topic_feeds, .. } = state;
        wildcards.for_each(topic, |feed| {
            // A feed with several patterns may match by more than one of them.
            if topic_feeds.add(&ring, feed) {
                feeds.push(Arc::clone(feed));
            }
        });
        for feed in feeds {
            feed.lock().backlog.add_ring(Arc::clone(&ring));
        }
        ring
    }

    /// Creates a ring of a topic that was evicted up to `evicted`.
    pub(in crate::hub) fn new_ring(&self, topic: Topic, place: usize, evicted: u64) -> TopicRing {
        let retention = self.retentions.of(&topic);
        TopicRing::new(topic, retention, place, evicted, !self.has_history)
    }
}

/// A task that waits for the head; its registration is removed if it is dropped.
struct HeadWaiter<'a> {
    window: &'a Window,
    slot: Slot,
}

impl Drop for HeadWaiter<'_> {
    fn drop(&mut self) {
        self.window.lock().head_waiters.cancel(&mut self.slot);
    }
}

impl Retentions {
    fn of(&self, topic: &Topic) -> Retention {
        let own = self.some.iter().find(|(pattern, _)| pattern.matches(topic));
        own.map_or(self.all, |(_, retention)| *retention)
    }
}

/// Returns the table of a hub without history.
pub(crate) fn fresh_epochs() -> EpochTable {
    EpochTable::starting(Epoch::random())
}
