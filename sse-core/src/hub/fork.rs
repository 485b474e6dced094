//! What a fork does to the window.

use super::window::Window;
use crate::{resume::EpochStart, waiters::wake_all};

impl Window {
    /// Adds a row to the epoch table; returns whether it replaced records that this window had. The records from
    /// `row.begins` on are dropped, and the window becomes what it would be in a process that never saw them.
    ///
    /// | What the window keeps | What a fork does to it |
    /// |---|---|
    /// | `epochs`, and the version that readers compare | the row is added, first of all, so that a reader that looks later knows of the fork |
    /// | `head` | the position before the fork |
    /// | `head_check` | dropped: it belongs to the replaced head; the kept record at the new head has its own |
    /// | feed: `last`, `recent`, chunks | nothing from the fork on is left, before the rings are cut, so no reader is given any of it |
    /// | feed: `cuts` | counted, which drops compressed blocks and what is being gathered |
    /// | feed: `last_at` | dropped: it was the time of a replaced event |
    /// | feed: signals | kept: they have no position |
    /// | feed: readers, waiters | woken; each reader decides by itself whether it gets a gap notice |
    /// | feed: `finished` | changed with its rings |
    /// | ring: frames, bytes | dropped from the fork on |
    /// | ring: `evicted` | at most the position before the fork |
    /// | ring: `finished`, `is_known` | by the last record before the fork, whose end counts again; unknown if that is not kept |
    /// | `forgotten`: positions and floor | at most the position before the fork |
    /// | `order`, `totals` | as the rings |
    /// | `keys` | those of replaced events are forgotten, so that they may be published again |
    /// | `head_waiters` | kept: they wait for a position that is still to come |
    /// | `topics`, `feeds`, `wildcards` | kept: they have no position |
    pub(crate) fn fork(&self, row: EpochStart) -> bool {
        let mut waiting = Vec::new();
        let is_rewritten = {
            let mut state = self.lock();
            if state.epochs.fork_after(row.epoch).is_some() {
                return false;
            }
            tracing::warn!(epoch = %row.epoch, begins = row.begins, "the history has a new epoch");
            state.epochs.push(row);
            self.set_version(state.epochs.rows().len());
            for feed in state.feeds.values() {
                waiting.push(feed.lock().truncate(row.begins));
            }
            let is_rewritten = row.begins <= state.head;
            if is_rewritten {
                self.replace_after(&mut state, row.begins);
            }
            is_rewritten
        };
        wake_all(waiting);
        is_rewritten
    }

    /// Drops the records at `fork` and after it. The feeds have dropped theirs already.
    fn replace_after(&self, state: &mut super::state::State, fork: u64) {
        for place in 0..state.topics.places() {
            let Some(ring) = state.topics.at(place).cloned() else { continue };
            let (change, feeds) = state.change(&ring, |ring| {
                let was_finished = ring.finished.is_some();
                ring.truncate(fork);
                let change = isize::from(ring.finished.is_some()) - isize::from(was_finished);
                (change, if change == 0 { Vec::new() } else { ring.feeds.clone() })
            });
            for feed in feeds {
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
