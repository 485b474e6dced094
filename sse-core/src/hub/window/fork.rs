//! How a fork changes the window.

use std::task::Waker;

use super::{
    state::State,
    window::{Learned, Window},
};
use crate::{
    resume::{EpochRow, EpochTable},
    waiters::wake_all,
};

impl Window {
    /// Merges the new rows of the history's epoch table, all of them under one lock.
    pub(crate) fn learn(&self, table: &EpochTable) -> Learned {
        let mut waiting = Vec::new();
        let learned = {
            let mut state = self.lock();
            let news = state.epochs.news(table);
            let mut is_rewritten = false;
            for row in &news {
                is_rewritten |= self.begin_epoch(&mut state, *row, &mut waiting);
            }
            if !news.is_empty() {
                // A publisher may wait for a record whose epoch becomes known only now.
                waiting.push(state.head_waiters.take());
            }
            let known = state.epochs.through(table.current());
            Learned { is_news: !news.is_empty(), is_rewritten, known }
        };
        wake_all(waiting);
        learned
    }

    /// Adds a row: the history was rewritten from `row.begins` on, or continues there under a new name; returns
    /// whether something here was replaced. The records from there on are dropped, and the window becomes what
    /// it would be in a process that never received them.
    ///
    /// | What the window keeps | What a fork does to it |
    /// |---|---|
    /// | `epochs`, and the version that readers compare | the row is added, first of all, so that a reader that polls later knows of the fork |
    /// | `head` | the position before the fork |
    /// | `head_check` | dropped: it belongs to the replaced head; the stored record at the new head has its own |
    /// | feed: `last`, `recent`, chunks | everything from the fork on is dropped, before the rings are cut, so readers get none of it |
    /// | feed: `generation` | counted, which drops compressed blocks and what is being gathered |
    /// | feed: `last_at` | dropped: it was the time of a replaced event |
    /// | feed: signals | kept: they have no position |
    /// | feed: readers, waiters | woken; each reader decides by itself whether it gets a gap notice |
    /// | feed: `finished` | changed with its rings |
    /// | ring: frames, bytes | dropped from the fork on |
    /// | ring: `evicted` | at most the position before the fork |
    /// | ring: `finished`, `is_known` | by the last record before the fork, whose end counts again; unknown if that is not kept |
    /// | `forgotten`: positions and floor | lowered to at most the position before the fork |
    /// | `order`, `totals` | as the rings |
    /// | `keys` | those of replaced events are forgotten, so that they may be published again |
    /// | `head_waiters` | woken, and check again: their record may have been replaced |
    /// | `topics`, `topic_feeds`, `feeds`, `wildcards` | kept: they have no position |
    fn begin_epoch(&self, state: &mut State, row: EpochRow, waiting: &mut Vec<Vec<Option<Waker>>>) -> bool {
        tracing::warn!(epoch = %row.epoch, begins = row.begins, "the history has a new epoch");
        state.epochs.push(row);
        let version = state.epochs.version();
        self.set_version(version);
        for feed in state.feeds.values() {
            waiting.push(feed.lock().truncate(row.begins, version));
        }
        let is_rewritten = row.begins <= state.head;
        if is_rewritten {
            self.replace_after(state, row.begins);
        }
        is_rewritten
    }

    /// Drops the records at `fork` and after it. The feeds have already dropped theirs.
    fn replace_after(&self, state: &mut State, fork: u64) {
        for place in 0..state.topics.places() {
            let Some(ring) = state.topics.at(place).cloned() else { continue };
            let change = state.change(&ring, |ring| {
                let was_finished = ring.finished.is_some();
                ring.truncate(fork);
                isize::from(ring.finished.is_some()) - isize::from(was_finished)
            });
            if change == 0 {
                continue;
            }
            for feed in state.topic_feeds.of(&ring) {
                let mut feed = feed.lock();
                feed.finished = feed.finished.saturating_add_signed(change);
            }
        }
        state.order.truncate(fork);
        state.forgotten.truncate(fork);
        state.keys.truncate(fork);
        state.head_check = None;
        state.head = fork.saturating_sub(1);
        self.set_head(state.head);
    }
}
