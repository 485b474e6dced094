use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use tokio::time::Instant;

use super::{
    dedup::RecentKeys,
    forgotten::ForgottenTopics,
    order::Order,
    ring::{RingEntry, TopicRing},
    state::State,
    tagged::TopicSet,
    topics::Topics,
    totals::Totals,
};
use crate::hub::{
    control_events, feeds::feed::Feed, feeds::feeds::Feeds, feeds::wildcards::Wildcards, stats::Counters,
};
use crate::{
    history::{EntryKind, Pattern, Retention, Topic, scoped},
    resume::{Cursor, Epoch, EpochTable},
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
    /// The number of rows of the epoch table; a reader that has applied fewer checks for a fork.
    version: AtomicUsize,
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

/// A record to be appended to the window.
pub(crate) struct Append<'a> {
    pub(crate) topics: &'a [Topic],
    pub(crate) kind: EntryKind,
    /// The encoded fields without id and blank line.
    pub(crate) lines: Vec<u8>,
}

/// The result of an append.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppendOutcome {
    pub(crate) cursor: Cursor,
    pub(crate) receivers: usize,
    pub(crate) duplicate: bool,
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
            version: state.epochs.rows().len().into(),
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

    pub(crate) fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    pub(in crate::hub) fn set_head(&self, head: u64) {
        self.head.store(head, Ordering::Release);
    }

    pub(in crate::hub) fn set_version(&self, version: usize) {
        self.version.store(version, Ordering::Release);
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

    /// Appends at the next position; only a hub without history numbers events itself.
    pub(crate) fn append(&self, append: Append<'_>, key: Option<&str>) -> AppendOutcome {
        let now = Instant::now();
        let (placed, waiting) = {
            let mut state = self.lock();
            let scoped = key.map(|key| scoped(append.topics, key));
            if let Some(cursor) = scoped.as_deref().and_then(|scoped| state.keys.find(scoped, now)) {
                return AppendOutcome { cursor, receivers: 0, duplicate: true };
            }
            let cursor = state.epochs.cursor(state.head + 1);
            if let Some(scoped) = scoped {
                state.keys.insert(scoped, cursor, now);
            }
            self.place(&mut state, append, cursor, now)
        };
        wake_all(waiting);
        placed
    }

    /// Adds a record of the history to the window; returns `false` if it is not at the next position in the
    /// epochs known here, so that the history must be read again.
    pub(crate) fn apply(&self, append: Append<'_>, cursor: Cursor) -> bool {
        let now = Instant::now();
        let waiting = {
            let mut state = self.lock();
            if cursor.seq() <= state.head {
                return true;
            }
            if cursor.seq() != state.head + 1 || !state.epochs.names(cursor) {
                return false;
            }
            self.place(&mut state, append, cursor, now).1
        };
        wake_all(waiting);
        true
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
        let rings = feed.lock().rings.clone();
        for topic_ring in rings.iter().filter(|ring| state.topics.holds(ring)) {
            let feeds = {
                let mut ring = topic_ring.lock();
                if ring.is_known {
                    continue;
                }
                ring.is_known = true;
                let Some((_, cursor)) = finished.iter().find(|(topic, _)| *topic == topic_ring.topic) else {
                    continue;
                };
                ring.finished = Some((*cursor, now));
                ring.feeds.clone()
            };
            for feed in feeds {
                feed.lock().finished += 1;
            }
        }
    }

    /// Sends a signal to the readers connected now; returns how many there are.
    pub(crate) fn signal(&self, topics: &[Topic], frame: &Frame) -> usize {
        let feeds = self.lock().feeds_of(topics);
        let labels = TopicSet::new(topics);
        let mut receivers = 0;
        let mut waiting = Vec::with_capacity(feeds.len());
        for feed in feeds {
            let mut feed = feed.lock();
            receivers += feed.readers.len();
            waiting.push(feed.signal(frame, &labels));
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
            self.head.store(floor, Ordering::Release);
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

    fn place(
        &self,
        state: &mut State,
        append: Append<'_>,
        cursor: Cursor,
        now: Instant,
    ) -> (AppendOutcome, Vec<Vec<Option<Waker>>>) {
        let Append { topics, kind, mut lines } = append;
        let seq = cursor.seq();
        control_events::end_block(&mut lines, cursor);
        let frame = Frame::block(lines);
        let labels = TopicSet::new(topics);
        let mut feeds: Vec<(Arc<Feed>, isize)> = Vec::new();
        for topic in topics {
            let ring = self.ring(state, topic);
            let kept = RingEntry {
                seq,
                at: now,
                frame: frame.clone(),
                is_finish: kind == EntryKind::Finish,
                labels: labels.several(),
            };
            state.change(&ring, |inner| {
                inner.push(kept, &ring.retention);
                let finished = (kind == EntryKind::Finish).then_some((cursor, now));
                let newly_finished = isize::from(finished.is_some()) - isize::from(inner.finished.is_some());
                inner.finished = finished;
                feeds.extend(inner.feeds.iter().map(|feed| (Arc::clone(feed), newly_finished)));
            });
            state.order.push_back(seq, ring);
        }
        if topics.len() > 1 {
            feeds.sort_unstable_by_key(|(feed, _)| feed.id);
            feeds.dedup_by(|(other, change), (feed, all)| {
                let is_same = other.id == feed.id;
                *all += if is_same { *change } else { 0 };
                is_same
            });
        }
        self.keep_within_total(state, now);
        let mut receivers = 0;
        let mut waiting = Vec::with_capacity(feeds.len() + 1);
        for (feed, newly_finished) in feeds {
            let mut feed = feed.lock();
            receivers += feed.readers.len();
            feed.finished = feed.finished.saturating_add_signed(newly_finished);
            waiting.push(feed.push(seq, now, &frame, &labels));
        }
        state.head = seq;
        state.head_check = cursor.checksum();
        self.head.store(seq, Ordering::Release);
        waiting.push(state.head_waiters.take());
        self.counters.count_published();
        (AppendOutcome { cursor, receivers, duplicate: false }, waiting)
    }

    /// Returns the ring of `topic`; a new one is added to the feeds whose wildcards match it.
    pub(in crate::hub) fn ring(&self, state: &mut State, topic: &Topic) -> Arc<TopicRing> {
        if let Some(ring) = state.topics.get(topic) {
            return Arc::clone(ring);
        }
        let evicted = state.forgotten.remove(topic);
        let ring = state.topics.insert(|place| self.new_ring(topic.clone(), place, evicted));
        let mut feeds = Vec::new();
        let mut inner = ring.lock();
        state.wildcards.for_each(topic, |feed| {
            // A feed with several patterns may match by more than one of them.
            if inner.add_feed(feed) {
                feeds.push(Arc::clone(feed));
            }
        });
        drop(inner);
        for feed in feeds {
            feed.lock().add_ring(Arc::clone(&ring));
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
