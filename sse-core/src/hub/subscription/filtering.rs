//! How a reader decides about each event by itself.

use std::sync::Arc;

use super::subscription::Subscription;
use crate::hub::{
    end::EndReason,
    feeds::candidates::Candidates,
    options::event_view::EventView,
    options::filter::{EventFilter, PermittedFrame},
    options::permission::Access,
    window::tagged::TaggedFrame,
};
use crate::{history::Topic, panic::Panic, wire::Frame};

impl Subscription {
    pub(in crate::hub) fn access(&self) -> Access {
        Access::of(self.extras.as_ref().and_then(|extras| extras.filter.as_ref()))
    }

    /// Returns the reader's filter; for a reader that gets all events, one that withholds nothing.
    pub(in crate::hub) fn filter(&self) -> Arc<EventFilter> {
        match self.access() {
            Access::Full(_) => Arc::default(),
            Access::Filtered(filter) => filter,
        }
    }

    /// Filters the events that a poll found; the frames that pass are sent before the next poll.
    pub(in crate::hub) fn filter_events(&mut self, filter: &EventFilter, candidates: Candidates) {
        match candidates {
            Candidates::Events(events) => self.send_permitted(filter, events),
            Candidates::Signals(signals) => {
                let position = self.progress.position();
                for TaggedFrame { frame, topics, .. } in signals {
                    let permitted = self.permit(filter, topics.as_slice(), &frame, position);
                    self.hold(permitted, position);
                }
            }
        }
    }

    fn send_permitted(&mut self, filter: &EventFilter, events: Vec<TaggedFrame>) {
        let mut ends_at = self.progress.position();
        let mut batch = filter.batch();
        for TaggedFrame { seq, frame, topics } in events {
            let event = EventView::of_frame(topics.as_slice(), &frame);
            if let Err(panic) = batch.push(&event, seq, || frame.clone()) {
                self.fail(panic);
                break;
            }
            ends_at = seq;
        }
        if !self.hold(batch.into_frames(), ends_at) {
            self.move_to(ends_at);
        }
    }

    /// Returns the event's frame, if the filter lets it through; a panic of the filter ends the stream.
    pub(in crate::hub) fn permit(
        &mut self,
        filter: &EventFilter,
        topics: &[Topic],
        frame: &Frame,
        seq: u64,
    ) -> Option<PermittedFrame> {
        Panic::catch(|| filter.permit_frame(topics, frame, seq)).unwrap_or_else(|panic| {
            self.fail(panic);
            None
        })
    }

    /// Records that the application's code failed: the stream ends after the events decided before.
    pub(in crate::hub) fn fail(&mut self, panic: Panic) {
        self.extras.get_or_insert_default().failure.get_or_insert(Arc::new(panic));
    }

    /// Ends the stream if the application's code failed; returns whether it did.
    pub(in crate::hub) fn is_failed(&mut self) -> bool {
        let failure = self.extras.as_mut().and_then(|extras| extras.failure.take());
        let is_failed = failure.is_some();
        if let Some(failure) = failure {
            self.end(EndReason::Error(failure));
        }
        is_failed
    }

    /// Returns whether the last events were withheld, so that a reader whose topics are finished does not know
    /// it yet.
    pub(in crate::hub) fn owes_checkpoint(&self) -> bool {
        matches!(self.access(), Access::Filtered(_)) && self.progress.is_unannounced()
    }
}
