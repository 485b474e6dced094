//! What the window evicts, and when.

use tokio::time::Instant;

use super::{state::State, survey::TOPICS_AT_ONCE, window::Window};

impl Window {
    /// Evicts what has become too old, and forgets idle topics, from an index among the topics on; returns the
    /// index at which to continue. Holds the lock for a short time.
    pub(crate) fn sweep_from(&self, place: usize) -> Option<usize> {
        self.sweep_some(place, TOPICS_AT_ONCE)
    }

    /// The same for at most `max` topics and frames together.
    pub(in crate::hub) fn sweep_some(&self, place: usize, max: usize) -> Option<usize> {
        let now = Instant::now();
        let mut state = self.lock_in_turn();
        let mut place = place;
        // Each topic counts as one, and so does each evicted frame.
        let mut left = max;
        while left > 0 {
            if place >= state.topics.places() {
                return None;
            }
            left -= 1;
            if let Some(ring) = state.topics.at(place).cloned() {
                let evicted = state.change(&ring, |inner| inner.trim(&ring.retention, now, left));
                left -= evicted;
                if left == 0 {
                    // The topic may have more frames that are too old.
                    return Some(place);
                }
                let feeds = state.forget_behind_wildcards(&ring, now);
                left = left.saturating_sub(feeds);
                state.forget_if_idle(&ring, now);
            }
            place += 1;
        }
        Some(place)
    }

    /// Sweeps all topics at once.
    #[cfg(test)]
    pub(crate) fn sweep(&self) {
        let mut next = Some(0);
        while let Some(place) = next {
            next = self.sweep_from(place);
        }
    }

    /// Evicts the oldest frames of all topics until the window is within its total.
    pub(in crate::hub) fn keep_within_total(&self, state: &mut State, now: Instant) {
        while state.totals.cost() > self.total_bytes {
            let Some((seq, ring)) = state.order.pop_front() else { return };
            let is_empty = state.change(&ring, |inner| {
                inner.evict(seq);
                inner.len() == 0
            });
            if is_empty {
                state.forget_if_idle(&ring, now);
            }
        }
        let frames = state.totals.frames;
        state.order.clear_some(frames);
    }
}
