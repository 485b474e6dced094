//! What the hub itself tells a reader: checkpoints, earlier states, gaps and ends.

use std::{slice, sync::atomic::Ordering};

use super::{
    Start, Subscription,
    labels::Labelled,
    notice::{self, Notice},
    sieve::PermittedFrame,
    subscription::short,
};
use crate::{
    history::Pattern,
    resume::{Cursor, Gap},
    wire::Frame,
};

impl Subscription {
    /// A checkpoint, if the position has moved past what the reader was told and nothing is pending: rule 9.
    pub(crate) fn checkpoint(&mut self) -> Option<Frame> {
        self.next_checkpoint().map(Notice::into_frame)
    }

    pub(super) fn next_checkpoint(&mut self) -> Option<Notice> {
        if !self.ahead.is_empty() || self.replay.is_some() || self.ended().is_some() || self.is_loading() {
            return None;
        }
        {
            let feed = self.feed.lock();
            if feed.last > self.position || feed.last_signal() > self.signals_seen {
                return None;
            }
            self.position = self.position.max(self.hub.window().head());
            self.reader.position.store(self.position, Ordering::Relaxed);
        }
        if self.told == Some(self.position) {
            return None;
        }
        let cursor = {
            let state = self.hub.window().lock();
            // A fork since the look would make it another place.
            (short(state.epochs.rows().len()) == self.version).then(|| state.cursor_at(self.position))?
        };
        self.told = Some(self.position);
        Some(notice::checkpoint(cursor))
    }

    /// Puts the earlier state of topics before everything else, without ids, so that positions only increase.
    pub(crate) fn tell_state(&mut self, patterns: &[Pattern], start: Start) {
        let most = match start {
            Start::Live => return,
            Start::Earliest => usize::MAX,
            Start::Latest(count) => count,
        };
        let mut events: Vec<Labelled> = Vec::new();
        for ring in &self.feed.lock().rings {
            if patterns.iter().any(|pattern| pattern.matches(&ring.topic)) {
                let inner = ring.lock();
                let earlier = inner.after(0).take_while(|kept| kept.seq <= self.position);
                events.extend(earlier.map(|kept| kept.labelled(&ring.topic)));
            }
        }
        events.sort_unstable_by_key(|event| event.seq);
        events.dedup_by_key(|event| event.seq);
        let sieve = self.sieve();
        let permitted: Vec<_> = events
            .iter()
            .filter_map(|event| self.permit(&sieve, event.labels.as_slice(), &event.frame, event.seq))
            .collect();
        let skip = permitted.len().saturating_sub(most);
        let position = self.position;
        let told = permitted.into_iter().skip(skip).map(|frame| frame.without_id(position));
        self.ahead.extend(told, position);
    }

    /// Says a notice at the present position before the next look.
    pub(super) fn say(&mut self, notice: Notice) {
        self.ahead.push(self.position, notice);
    }

    pub(super) fn checkpoint_at(&mut self, position: u64) -> Notice {
        self.told = Some(position);
        notice::checkpoint(self.hub.window().lock().cursor_at(position))
    }

    pub(super) fn tell_gap(&mut self, gap: &Gap) {
        self.hub.window().counters.count_gap(gap.reason);
        if self.begin_snapshot(Some(gap)) {
            return;
        }
        self.told = Some(gap.resumed_at.seq());
        self.say(notice::gap(gap));
    }

    /// Rule 13: a new reader of finished topics is told so.
    pub(super) fn tell_finishes(&mut self) {
        let sieve = self.sieve();
        let mut finishes: Vec<(Cursor, PermittedFrame)> = Vec::new();
        let rings = self.feed.lock().rings.clone();
        for ring in rings {
            if let Some((cursor, frame)) = ring.end()
                && let Some(permitted) =
                    self.permit(&sieve, slice::from_ref(&ring.topic), &frame, cursor.seq())
            {
                finishes.push((cursor, permitted));
            }
        }
        finishes.sort_by_key(|(cursor, _)| cursor.seq());
        let (told, position) = (self.told, self.position);
        self.told = finishes.last().map(|(cursor, _)| cursor.seq()).max(told);
        let frames = finishes.into_iter().map(|(cursor, frame)| {
            // After a gap notice that names a later place, its id would move the reader back.
            let is_passed = told.is_some_and(|told| told > cursor.seq());
            if is_passed { frame.without_id(position) } else { frame.at(position) }
        });
        self.ahead.extend(frames, position);
    }
}
