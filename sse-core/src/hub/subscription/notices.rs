//! The hub's own events for a reader: checkpoints, earlier states, gaps and ends.

use std::slice;

use super::subscription::Subscription;
use crate::hub::{
    control_events::{self, Notice},
    options::filter::PermittedFrame,
};
use crate::{
    resume::{Cursor, Gap},
    wire::Frame,
};

impl Subscription {
    /// Returns a checkpoint, if the position has moved past the last announced one and nothing is pending: rule
    /// 9.
    pub(crate) fn checkpoint(&mut self) -> Option<Frame> {
        self.next_checkpoint().map(Notice::into_frame)
    }

    pub(in crate::hub) fn next_checkpoint(&mut self) -> Option<Notice> {
        if self.has_frames() || self.work.is_some() || self.has_backfill() || self.ended().is_some() {
            return None;
        }
        {
            let feed = self.feed.lock();
            if feed.version != self.progress.epochs()
                || feed.backlog.last > self.progress.position()
                || feed.backlog.last_signal() > self.signals_seen
            {
                return None;
            }
            self.progress.pass_to(self.hub.window().head(), &self.reader);
        }
        if !self.progress.is_unannounced() {
            return None;
        }
        let cursor = self.cursor_at(self.progress.position())?;
        self.progress.announce(self.progress.position());
        Some(control_events::checkpoint(cursor))
    }

    /// Sends a checkpoint for the present position.
    pub(in crate::hub) fn send_checkpoint(&mut self) {
        if let Some(cursor) = self.cursor_at(self.progress.position()) {
            self.progress.announce(cursor.seq());
            self.queue_notice(control_events::checkpoint(cursor));
        }
    }

    pub(in crate::hub) fn send_gap(&mut self, gap: &Gap) {
        self.hub.window().counters.count_gap(gap.reason);
        if self.begin_snapshot(Some(gap)) {
            return;
        }
        self.progress.announce(gap.resumed_at.seq());
        self.queue_notice(control_events::gap(gap));
    }

    /// Rule 13: sends the end of finished topics to a new reader.
    pub(in crate::hub) fn send_finishes(&mut self) {
        let filter = self.filter();
        let mut finishes: Vec<(Cursor, PermittedFrame)> = Vec::new();
        let rings = self.feed.lock().backlog.rings.clone();
        for ring in rings {
            if let Some((cursor, frame)) = ring.end()
                && let Some(permitted) =
                    self.permit(&filter, slice::from_ref(&ring.topic), &frame, cursor.seq())
            {
                finishes.push((cursor, permitted));
            }
        }
        finishes.sort_by_key(|(cursor, _)| cursor.seq());
        let (announced, position) = (self.progress.announced(), self.progress.position());
        if let Some((last, _)) = finishes.last() {
            self.progress.announce_at_least(last.seq());
        }
        let frames = finishes.into_iter().map(|(cursor, frame)| {
            // After a gap notice with a later position, the id of this end would move the reader back.
            let is_passed = announced.is_some_and(|announced| announced > cursor.seq());
            if is_passed { frame.without_id() } else { frame }
        });
        self.hold(frames, position);
    }
}
