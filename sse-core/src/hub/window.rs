use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use tokio::time::Instant;

use super::{
    feed::Feed,
    forgotten::Forgotten,
    keys::Keys,
    labels::Labels,
    notice,
    ring::{Kept, TopicRing},
    state::State,
    stats::Counters,
    subscription::short,
};
use crate::{
    history::{EntryKind, Pattern, Retention, Topic, scoped},
    resume::{Cursor, Epoch, EpochStart, Epochs},
    waiters::{Slot, Waiters, wake},
    wire::Frame,
};

#[cfg(test)]
mod tests;

/// Recent frames by topic, and who reads them.
///
/// Everything is appended under one short lock, so below the head nothing is missing. Locks are taken downwards only:
/// window, feed, ring.
pub(crate) struct Window {
    head: AtomicU64,
    /// The number of rows of the epoch table; a reader that knows fewer looks for a fork.
    version: AtomicUsize,
    state: Mutex<State>,
    retentions: Retentions,
    pub(super) total_bytes: usize,
    /// Whether what is not in a ring may be in a history.
    has_history: bool,
    pub(crate) counters: Counters,
}

/// The retention of all topics, and those of some.
pub(crate) struct Retentions {
    pub(crate) all: Retention,
    pub(crate) some: Vec<(Pattern, Retention)>,
}

/// Something to be put into the window.
pub(crate) struct Append<'a> {
    pub(crate) topics: &'a [Topic],
    pub(crate) kind: EntryKind,
    /// The encoded fields without id and blank line.
    pub(crate) lines: Vec<u8>,
}

/// Where an append went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) cursor: Cursor,
    pub(crate) receivers: usize,
    pub(crate) duplicate: bool,
}

impl Window {
    pub(crate) fn new(
        retentions: Retentions,
        total_bytes: usize,
        epochs: Epochs,
        head: u64,
        has_history: bool,
    ) -> Self {
        let state = State {
            head,
            head_check: None,
            topics: HashMap::new(),
            forgotten: Forgotten::new(head),
            order: VecDeque::new(),
            frames: 0,
            bytes: 0,
            feeds: HashMap::new(),
            keys: Keys::default(),
            head_waiters: Waiters::default(),
            epochs,
        };
        Self {
            head: head.into(),
            version: state.epochs.rows().len().into(),
            state: Mutex::new(state),
            retentions,
            total_bytes,
            has_history,
            counters: Counters::default(),
        }
    }

    /// Everything up to here can be read by those whom it concerns.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    pub(crate) fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends as the next position; only a hub without history numbers events itself.
    pub(crate) fn append(&self, append: Append<'_>, key: Option<&str>) -> Placed {
        let now = Instant::now();
        let (placed, waiting) = {
            let mut state = self.lock();
            let scoped = key.map(|key| scoped(append.topics, key));
            if let Some(cursor) = scoped.as_deref().and_then(|scoped| state.keys.find(scoped, now)) {
                return Placed { cursor, receivers: 0, duplicate: true };
            }
            let cursor = state.epochs.cursor(state.head + 1);
            if let Some(scoped) = scoped {
                state.keys.insert(scoped, cursor, now);
            }
            self.place(&mut state, append, cursor, now)
        };
        waiting.into_iter().for_each(wake);
        placed
    }

    /// Puts a record of the history into the window; `false` if it is not the next position in the epochs known here,
    /// so that the history must be read again.
    pub(crate) fn apply(&self, append: Append<'_>, cursor: Cursor) -> bool {
        let now = Instant::now();
        let waiting = {
            let mut state = self.lock();
            if cursor.seq() <= state.head {
                return true;
            }
            if cursor.seq() != state.head + 1 || cursor.epoch() != state.epochs.at(cursor.seq()) {
                return false;
            }
            self.place(&mut state, append, cursor, now).1
        };
        waiting.into_iter().for_each(wake);
        true
    }

    /// Takes over from the history which topics asked for were finished before this process saw anything of them, unless
    /// it was rewritten since it had `version` rows in its epoch table.
    pub(crate) fn learn_finished(&self, feed: &Feed, finished: &[(Topic, Cursor)], version: u32) {
        let now = Instant::now();
        // Under the window's lock nothing is appended meanwhile.
        let state = self.lock();
        if short(state.epochs.rows().len()) != version {
            return;
        }
        let mut inner = feed.lock();
        for ring in inner.rings.clone() {
            let mut ring_inner = ring.lock();
            if ring_inner.is_known {
                continue;
            }
            ring_inner.is_known = true;
            if let Some((_, cursor)) = finished.iter().find(|(topic, _)| *topic == ring.topic) {
                ring_inner.finished = Some((*cursor, now));
                let feeds = ring_inner.feeds.clone();
                drop(ring_inner);
                inner.finished += 1;
                for other in feeds.iter().filter(|other| !std::ptr::eq(&***other, feed)) {
                    other.lock().finished += 1;
                }
            }
        }
    }

    /// Tells a signal to the readers of now; returns how many there are.
    pub(crate) fn signal(&self, topics: &[Topic], frame: &Frame) -> usize {
        let feeds = self.lock().feeds_of(topics);
        let labels = Labels::new(topics);
        let mut receivers = 0;
        for feed in feeds {
            let waiting = {
                let mut feed = feed.lock();
                receivers += feed.readers.len();
                feed.signal(frame, &labels)
            };
            wake(waiting);
        }
        receivers
    }

    /// Takes notice that the history was rewritten from `row.begins` on, or goes on there under a new name; returns
    /// whether something here was replaced.
    pub(crate) fn fork(&self, row: EpochStart) -> bool {
        let mut waiting = Vec::new();
        let is_rewritten = {
            let mut state = self.lock();
            if state.epochs.fork_after(row.epoch).is_some() {
                return false;
            }
            tracing::warn!(epoch = %row.epoch, begins = row.begins, "the history has a new epoch");
            state.epochs.push(row);
            let is_rewritten = row.begins <= state.head;
            if is_rewritten {
                let mut freed = 0;
                for ring in state.topics.values() {
                    freed += ring.lock().truncate(row.begins);
                }
                state.bytes -= freed;
                state.order.retain(|(seq, _)| *seq < row.begins);
                state.frames = state.order.len();
                state.head = row.begins.saturating_sub(1);
                self.head.store(state.head, Ordering::Release);
            }
            self.version.store(state.epochs.rows().len(), Ordering::Release);
            for feed in state.feeds.values() {
                waiting.push(feed.lock().truncate(row.begins, state.epochs.rows().len()));
            }
            is_rewritten
        };
        waiting.into_iter().for_each(wake);
        is_rewritten
    }

    /// Takes notice that the history was trimmed past the head before this process saw what was there.
    pub(crate) fn skip_to(&self, oldest: u64) {
        let floor = oldest.saturating_sub(1);
        let mut waiting = Vec::new();
        {
            let mut state = self.lock();
            if floor <= state.head {
                return;
            }
            state.topics.values().for_each(|ring| ring.lock().skip_to(floor));
            state.forgotten.raise(floor);
            state.order.clear();
            state.frames = 0;
            state.bytes = 0;
            state.head = floor;
            state.head_check = None;
            self.head.store(floor, Ordering::Release);
            waiting.push(state.head_waiters.take());
            for feed in state.feeds.values() {
                waiting.push(feed.lock().skip_to(floor));
            }
        }
        waiting.into_iter().for_each(wake);
    }

    /// Waits until the head has reached `seq`.
    pub(crate) async fn reaches(&self, seq: u64) {
        let mut waiter = HeadWaiter { window: self, slot: Slot::default() };
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if state.head >= seq {
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
    ) -> (Placed, Vec<Vec<Option<Waker>>>) {
        let Append { topics, kind, mut lines } = append;
        let seq = cursor.seq();
        notice::end_block(&mut lines, cursor);
        let frame = Frame::block(lines);
        let labels = Labels::new(topics);
        let mut feeds: Vec<(Arc<Feed>, isize)> = Vec::new();
        for topic in topics {
            let ring = self.ring(state, topic);
            let mut inner = ring.lock();
            let before = inner.len() + 1;
            let kept = Kept { seq, at: now, frame: frame.clone(), labels: labels.several() };
            let freed = inner.push(kept, &ring.retention);
            state.bytes = (state.bytes + frame.bytes().len()).saturating_sub(freed);
            state.frames = state.frames + inner.len() + 1 - before;
            let finished = (kind == EntryKind::Finish).then_some((cursor, now));
            let newly_finished = isize::from(finished.is_some()) - isize::from(inner.finished.is_some());
            inner.finished = finished;
            for feed in &inner.feeds {
                match feeds.iter_mut().find(|(known, _)| Arc::ptr_eq(known, feed)) {
                    Some((_, change)) => *change += newly_finished,
                    None => feeds.push((Arc::clone(feed), newly_finished)),
                }
            }
            drop(inner);
            state.order.push_back((seq, ring));
        }
        self.keep_within_total(state);
        let mut receivers = 0;
        let mut waiting = Vec::with_capacity(feeds.len() + 1);
        for (feed, newly_finished) in feeds {
            let mut feed = feed.lock();
            receivers += feed.readers.len();
            feed.finished = feed.finished.saturating_add_signed(newly_finished);
            waiting.push(feed.push(seq, now, &frame, &labels));
        }
        state.head = seq;
        state.head_check = cursor.check();
        self.head.store(seq, Ordering::Release);
        waiting.push(state.head_waiters.take());
        self.counters.count_published();
        (Placed { cursor, receivers, duplicate: false }, waiting)
    }

    /// The ring of `topic`; a new one is shown to the wildcards that match it.
    pub(super) fn ring(&self, state: &mut State, topic: &Topic) -> Arc<TopicRing> {
        if let Some(ring) = state.topics.get(topic) {
            return Arc::clone(ring);
        }
        let evicted = state.forgotten.remove(topic);
        let retention = self.retentions.of(topic);
        let ring = Arc::new(TopicRing::new(topic.clone(), retention, evicted, !self.has_history));
        state.topics.insert(topic.clone(), Arc::clone(&ring));
        for feed in state.feeds.values() {
            if !feed.is_exact && feed.matches(topic) {
                feed.lock().add_ring(Arc::clone(&ring));
                ring.lock().feeds.push(Arc::clone(feed));
            }
        }
        ring
    }
}

/// A task that waits for the head, and leaves nothing behind if it gives up.
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

/// The table of a hub without history.
pub(crate) fn fresh_epochs() -> Epochs {
    Epochs::starting(Epoch::random())
}
