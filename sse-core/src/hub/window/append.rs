//! How records get into the window.

use std::{sync::Arc, task::Waker};

use tokio::time::Instant;

use super::{ring::RingEntry, state::State, tagged::TopicSet, window::Window};
use crate::hub::{control_events, feeds::feed::Feed};
use crate::{
    history::{EntryKind, Topic, scoped},
    resume::Cursor,
    waiters::wake_all,
    wire::Frame,
};

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

impl Window {
    /// Appends at the next position; only a hub without history numbers events itself.
    pub(crate) fn append(&self, append: Append<'_>, key: Option<&str>) -> AppendOutcome {
        let now = Instant::now();
        let (outcome, waiting) = {
            let mut state = self.lock();
            let scoped = key.map(|key| scoped(append.topics, key));
            if let Some(cursor) = scoped.as_deref().and_then(|scoped| state.keys.find(scoped, now)) {
                return AppendOutcome { cursor, receivers: 0, duplicate: true };
            }
            let cursor = state.epochs.cursor(state.head + 1);
            if let Some(scoped) = scoped {
                state.keys.insert(scoped, cursor, now);
            }
            self.insert(&mut state, append, cursor, now)
        };
        wake_all(waiting);
        outcome
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
            self.insert(&mut state, append, cursor, now).1
        };
        wake_all(waiting);
        true
    }

    /// Adds a record at the next position, to its rings and their feeds; returns the wakers of all who waited.
    fn insert(
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
        let topic_set = TopicSet::new(topics);
        let mut feeds: Vec<(Arc<Feed>, isize)> = Vec::new();
        for topic in topics {
            let ring = self.ring(state, topic);
            let kept = RingEntry {
                seq,
                at: now,
                frame: frame.clone(),
                is_finish: kind == EntryKind::Finish,
                topics: topic_set.several(),
            };
            let newly_finished = state.change(&ring, |inner| {
                inner.push(kept, &ring.retention);
                let finished = (kind == EntryKind::Finish).then_some((cursor, now));
                let newly_finished = isize::from(finished.is_some()) - isize::from(inner.finished.is_some());
                inner.finished = finished;
                newly_finished
            });
            let readers = state.topic_feeds.of(&ring).iter();
            feeds.extend(readers.map(|feed| (Arc::clone(feed), newly_finished)));
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
            waiting.push(feed.push(seq, now, &frame, &topic_set));
        }
        state.head = seq;
        state.head_check = cursor.checksum();
        self.set_head(seq);
        waiting.push(state.head_waiters.take());
        self.counters.count_published();
        (AppendOutcome { cursor, receivers, duplicate: false }, waiting)
    }
}
