//! How a reader of very many topics catches up; see `feeds/gathering.rs`.

use std::task::{Context, Poll};

use crate::hub::subscription::subscription::Subscription;
use crate::hub::{
    feeds::candidates::{Candidates, batch_bytes},
    feeds::chunk::CHUNK_BYTES,
    feeds::gathering::Gathering,
    options::permission::Access,
};

impl Subscription {
    /// Returns whether the reader is behind and its missing events may be in more rings than are read under one
    /// lock.
    pub(in crate::hub) fn must_gather(&self) -> bool {
        self.feed.lock().backlog.is_wide()
    }

    /// Gathers the events after the reader's position, which are sent before the next poll. Returns the highest
    /// position that was evicted, if any was.
    pub(in crate::hub) fn poll_gathering(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let forgotten_floor =
            Some(self.forgotten_floor).filter(|forgotten_floor| *forgotten_floor > self.progress.position());
        let max = match self.access() {
            Access::Full(_) => CHUNK_BYTES,
            Access::Filtered(filter) => batch_bytes(&filter),
        };
        let known = self.extras.get_or_insert_default().gathering.take();
        let (gathering, is_complete) = {
            let _turn = self.hub.window().lock_in_turn();
            let feed = self.feed.lock();
            let (backlog, position) = (&feed.backlog, self.progress.position());
            let known = known.filter(|known| known.is_of(position, self.feed.id, backlog));
            let mut gathering = known.unwrap_or_else(|| {
                Box::new(Gathering::new(position, self.feed.id, forgotten_floor, backlog))
            });
            let is_complete = gathering.step(backlog, self.ignored_evictions(), max);
            (gathering, is_complete)
        };
        if !is_complete {
            self.extras.get_or_insert_default().gathering = Some(gathering);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if gathering.missed.is_none() {
            self.take_gathered(*gathering);
            return Poll::Ready(None);
        }
        Poll::Ready(gathering.missed)
    }

    fn take_gathered(&mut self, gathering: Gathering) {
        let Gathering { found, until, .. } = gathering;
        if found.is_empty() {
            self.move_to(until.max(self.progress.position()));
            return;
        }
        // A reader without a filter has one that withholds nothing.
        self.filter_events(&self.filter(), Candidates::Events(found.into_values().collect()));
    }
}
