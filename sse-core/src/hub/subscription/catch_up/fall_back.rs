//! What a reader does when the window no longer has its events, or a fork replaced them.

use std::sync::Arc;

use super::replay;
use crate::hub::subscription::subscription::Subscription;
use crate::hub::{
    end::EndReason,
    readers::holding::{ReplayOutcome, Work},
};
use crate::resume::{Gap, GapReason};

impl Subscription {
    /// Rule 3: if positions beyond a fork were announced to a reader, its next event reports the gap; the others
    /// continue.
    ///
    /// A reader that had only passed events outside its topics holds a cursor from before the fork, which would
    /// be exact if it reconnected with it: it also continues before the fork.
    pub(in crate::hub) fn check_for_fork(&mut self) {
        let (version, fork) = {
            let state = self.hub.window().lock();
            let version = state.epochs.version();
            let fork = state.epochs.fork_since(self.progress.epochs());
            (version, fork.map(|fork| state.cursor_at(fork.saturating_sub(1))))
        };
        self.progress.apply_epochs(version);
        let Some(resumed_at) = fork else { return };
        let last = resumed_at.seq();
        // Frames read earlier may be of records that were replaced, whatever the reader's position.
        self.cut_frames(last);
        self.forgotten_floor = self.forgotten_floor.min(last);
        if let Some(extras) = &mut self.extras {
            extras.cut(last);
        }
        if last < self.progress.position() {
            self.move_to(last);
            if self.progress.has_announced_after(last) || self.is_loading() {
                self.send_gap(&Gap { reason: GapReason::Fork, requested: None, resumed_at, missed: None });
            }
        }
    }

    fn trimmed(&mut self, resume: u64) {
        let missed = Some(resume.saturating_sub(self.progress.position()));
        // After a fork the next poll finds another position.
        let Some(resumed_at) = self.cursor_at(resume) else { return };
        self.move_to(resume);
        self.send_gap(&Gap { reason: GapReason::Trimmed, requested: None, resumed_at, missed });
    }

    pub(in crate::hub) fn evicted(&self) -> u64 {
        self.feed.lock().backlog.evicted().max(self.forgotten_floor)
    }

    /// Reads from the history what was evicted up to `evicted`, or reports a gap.
    pub(in crate::hub) fn fall_back(&mut self, evicted: u64) {
        if self.hub.history().is_some() {
            self.start_replay(evicted);
        } else {
            self.trimmed(evicted);
        }
    }

    fn start_replay(&mut self, until: u64) {
        if let Some(history) = self.hub.history().cloned() {
            let epochs = {
                let state = self.hub.window().lock();
                if state.epochs.version() != self.progress.epochs() {
                    return;
                }
                state.epochs.clone()
            };
            let filter = self.filter();
            let next_at = self.extras.as_ref().and_then(|extras| extras.next_replay_at);
            let limits = self.hub.replay_limits().clone();
            let feed = Arc::clone(&self.feed);
            let range = self.progress.position()..until;
            let read = replay::read(history, feed, filter, limits, next_at, epochs, range);
            self.start_work(Work::Replay(Box::pin(read)));
        }
    }

    pub(in crate::hub) fn take_replayed(&mut self, replayed: ReplayOutcome) {
        match replayed {
            ReplayOutcome::Read { frames, ends_at, next_at, failure } => {
                if let Some(failure) = failure {
                    self.fail(failure);
                }
                if next_at.is_some() {
                    self.extras.get_or_insert_default().next_replay_at = next_at;
                }
                if !self.hold(frames, ends_at) {
                    self.move_to(ends_at);
                }
            }
            ReplayOutcome::Trimmed { oldest } => {
                self.trimmed(oldest.saturating_sub(1).max(self.progress.position()))
            }
            ReplayOutcome::Failed(error) => {
                tracing::warn!(%error, "the history cannot be read; the reader is asked to come back");
                self.end(EndReason::Unavailable);
            }
        }
    }
}
