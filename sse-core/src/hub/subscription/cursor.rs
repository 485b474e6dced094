//! The cursor at which a reader continues, and the event that sends this cursor before the first one.

use std::sync::Arc;

use super::{start::open, subscription::Subscription};
use crate::hub::{control_events, options::start::Start, readers::reader::Reader, shared::Shared};
use crate::{
    history::Pattern,
    resume::{Cursor, Requested, Resume},
    wire::Frame,
};

impl Subscription {
    /// Returns the cursor with which this reader would resume if it stopped here: everything that
    /// [`next`](Subscription::next) has not returned yet follows that cursor.
    ///
    /// A new reader has a cursor before its first event. Store it, or send it first, if the reader must not miss
    /// anything after its subscription. A response made from the subscription itself begins with the cursor; one
    /// that a program makes from [`next`](Subscription::next) or [`frames`](Subscription::frames) does not.
    ///
    /// Returns `None` while no such cursor exists: a notice such as `sse.gap` or a part of a
    /// [`snapshot`](crate::hub::Subscribe::snapshot) comes next, or the reader was
    /// [refused](Subscription::refusal).
    ///
    /// ```
    /// use sse_core::{Event, Hub};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let reader = hub.subscribe("orders").await?;
    /// let cursor = reader.cursor();
    /// drop(reader);
    ///
    /// hub.publish("orders", Event::message("published while it is away")).await?;
    /// let mut reader = hub.subscribe("orders").after(cursor).await?;
    /// assert!(reader.next().await.ok_or("ended")?.as_ref().starts_with(b"data: published while it is away\n"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        if self.is_refused() || self.is_loading() || self.has_backfill() || self.has_notice() {
            return None;
        }
        // Until the whole state was sent, a reader with states has only the cursor that it came with.
        let seq = if self.has_snapshots() { self.progress.announced()? } else { self.progress.position() };
        let state = self.hub.window().lock();
        match state.epochs.fork_since(self.progress.epochs()).filter(|fork| *fork <= seq) {
            None => Some(state.cursor_at(seq)),
            // The gap comes next.
            Some(fork) if self.progress.has_announced_after(fork.saturating_sub(1)) => None,
            Some(fork) => Some(state.cursor_at(fork.saturating_sub(1))),
        }
    }

    /// Returns the cursor of a position at which this reader is or was; `None` if the history was rewritten
    /// since its last poll, because the position may now be that of another record.
    pub(in crate::hub) fn cursor_at(&self, seq: u64) -> Option<Cursor> {
        let state = self.hub.window().lock();
        (state.epochs.version() == self.progress.epochs()).then(|| state.cursor_at(seq))
    }

    /// Returns the cursor of the newest position; `None` likewise.
    pub(in crate::hub) fn newest(&self) -> Option<Cursor> {
        let state = self.hub.window().lock();
        (state.epochs.version() == self.progress.epochs()).then(|| state.cursor_at(state.head()))
    }

    /// Returns where a reader that stops here resumes, as near to the head as is certain.
    #[cfg(feature = "fallbacks")]
    pub(crate) fn place(&mut self) -> Option<Cursor> {
        match self.checkpoint() {
            Some(checkpoint) => control_events::cursor_of(&checkpoint),
            None => self.cursor(),
        }
    }

    /// Returns the event with which the reader's response begins: a checkpoint if it has no cursor; or, if its
    /// browser may hold half an event, the event that discards the half.
    pub(crate) fn first_event(&mut self, needs_discard: bool) -> Option<Frame> {
        if self.is_refused() {
            // A reader with a cursor keeps its half event until it is accepted.
            return self.refused_at().map(|cursor| control_events::checkpoint(cursor).into_frame());
        }
        if *self.resume() == Resume::Fresh
            && let Some(cursor) = self.first_cursor()
        {
            return Some(control_events::checkpoint(cursor).into_frame());
        }
        needs_discard.then(|| control_events::discard(self.resume()))
    }

    /// Returns the cursor from which a new reader reads, to be sent to it. `None` if the reader gets a state
    /// first: a cursor without the whole state would skip the rest of the state.
    fn first_cursor(&mut self) -> Option<Cursor> {
        if self.has_snapshots() {
            return None;
        }
        loop {
            // The first events may be older than the reader's position: the ends of topics that were finished
            // before.
            let (first, position) = (self.first_held(), self.progress.position());
            let before = first.map_or(position, |first| first.seq().saturating_sub(1).min(position));
            let cursor = self.cursor_at(before);
            if cursor.is_some() {
                self.progress.announce_at_least(before);
                return cursor;
            }
            self.check_for_fork();
        }
    }
}

/// Returns the cursor for a new reader that is refused: where it would have begun, so that it misses nothing
/// until it is accepted.
///
/// Returns `None` if the cursor would not be exact, or cannot be known at once: then the reader begins by
/// `start` when it is accepted.
pub(in crate::hub) fn of_refused(hub: &Arc<Shared>, patterns: &[Pattern], start: Start) -> Option<Cursor> {
    if !patterns.iter().all(Pattern::is_exact) {
        // A search for the matching topics would cost more than a refusal may.
        let state = hub.window().lock();
        return (start == Start::Live).then(|| state.cursor_at(state.head()));
    }
    let attached = hub.window().peek(patterns.into(), Arc::new(Reader::new(hub.clock())));
    let mut reader = Subscription::new(Arc::clone(hub), &attached, None);
    if start != Start::Live && attached.view.evicted > 0 && hub.history().is_some() {
        return None;
    }
    let opening = open(&attached.feed, &attached.view, &Requested::Nothing, start, None)?;
    if opening.position < attached.view.evicted {
        return None;
    }
    reader.progress.apply_epochs(opening.version);
    reader.move_to(opening.position);
    if opening.is_over {
        reader.send_finishes();
    }
    reader.first_cursor()
}
