//! What the window lets go of, and when.

use tokio::time::Instant;

use super::{state::State, window::Window};

impl Window {
    /// Evicts what has become too old, and forgets what is idle.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let rings: Vec<_> = self.lock().topics.values().cloned().collect();
        for ring in rings {
            let mut state = self.lock();
            let (freed, frames) = {
                let mut inner = ring.lock();
                let before = inner.len();
                (inner.trim(&ring.retention, now), before - inner.len())
            };
            state.bytes -= freed;
            state.frames -= frames;
            state.forget_if_idle(&ring, now);
        }
    }

    /// Evicts the oldest of all topics until the window is within its total.
    pub(super) fn keep_within_total(&self, state: &mut State) {
        while state.bytes > self.total_bytes {
            let Some((seq, ring)) = state.order.pop_front() else { return };
            let freed = ring.lock().evict(seq);
            state.bytes -= freed;
            state.frames -= usize::from(freed > 0);
        }
        // What the topics' own retention evicted is still listed; it is dropped when it is most of the list.
        if state.order.len() > 2 * state.frames + 1024 {
            let State { order, .. } = state;
            order
                .retain(|(seq, ring)| ring.lock().after(seq - 1).next().is_some_and(|kept| kept.seq == *seq));
        }
    }
}
