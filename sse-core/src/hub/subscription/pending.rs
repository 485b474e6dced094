//! How a reader adds to what the hub holds for it, takes of it, and waits for the hub's work.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
};

use super::subscription::Subscription;
use crate::hub::{
    control_events::{self, Notice},
    options::filter::PermittedFrame,
    readers::holding::{Outcome, Work, WorkKind},
    readers::reader::{Closed, Reader},
};
use crate::{resume::Cursor, wire::Frame};

/// Wakes a reader whose work is done: from then on it has something to take.
struct Alarm {
    reader: Arc<Reader>,
    waker: Waker,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.reader.is_waiting.store(false, Ordering::Release);
        self.waker.wake_by_ref();
    }
}

impl Subscription {
    /// Returns whether the first held frame is a notice, or a part of a state, for the reader's present
    /// position.
    pub(in crate::hub) fn has_notice(&self) -> bool {
        let holding = self.reader.holding.lock();
        let first = holding.as_ref().and_then(|contents| contents.frames.front());
        first.is_some_and(|(seq, _)| *seq <= self.progress.position())
    }

    /// Returns the cursor of the first held frame.
    pub(in crate::hub) fn first_held(&self) -> Option<Cursor> {
        let holding = self.reader.holding.lock();
        let first = holding.as_ref().and_then(|contents| contents.frames.front());
        first.and_then(|(_, frame)| control_events::cursor_of(frame))
    }

    /// Returns whether frames are to be sent before the next poll.
    #[inline]
    pub(in crate::hub) fn has_frames(&self) -> bool {
        self.reader.has_frames.load(Ordering::Relaxed)
    }

    /// Sends a notice at the present position before the next poll.
    pub(in crate::hub) fn queue_notice(&mut self, notice: Notice) {
        let position = self.progress.position();
        self.add([(position, notice.into_frame())], position);
    }

    /// Sends frames before the next poll, after which the reader is at `ends_at`; returns whether there were
    /// any.
    pub(in crate::hub) fn hold(
        &mut self,
        frames: impl IntoIterator<Item = PermittedFrame>,
        ends_at: u64,
    ) -> bool {
        self.add(frames.into_iter().map(PermittedFrame::into_parts), ends_at)
    }

    fn add(&mut self, frames: impl IntoIterator<Item = (u64, Frame)>, ends_at: u64) -> bool {
        let mut frames = frames.into_iter().peekable();
        if frames.peek().is_none() {
            return false;
        }
        let mut holding = self.reader.holding.lock();
        // After the sweep has freed a reader's holding, nothing is added to it.
        if self.reader.ended() == Some(Closed::Stall) {
            return true;
        }
        let contents = holding.get_or_insert_default();
        let mut added = 0;
        contents.frames.extend(frames.inspect(|(_, frame)| added += frame.bytes().len()));
        contents.bytes += added;
        contents.ends_at = ends_at;
        self.hub.window().counters.hold(added);
        self.reader.has_frames.store(true, Ordering::Relaxed);
        true
    }

    /// Takes as many held frames as fit into `max` bytes, but at least one; also returns the position after them
    /// if that was all.
    pub(in crate::hub) fn take_frames(&mut self, max: usize) -> (Vec<(u64, Frame)>, Option<u64>) {
        let mut holding = self.reader.holding.lock();
        let Some(contents) = holding.as_mut() else { return (Vec::new(), None) };
        let frames = contents.take(max);
        let ends_at = contents.frames.is_empty().then_some(contents.ends_at);
        let taken = frames.iter().map(|(_, frame)| frame.bytes().len()).sum();
        contents.bytes = contents.bytes.saturating_sub(taken);
        self.hub.window().counters.release(taken);
        if ends_at.is_some() {
            self.reader.has_frames.store(false, Ordering::Relaxed);
            if contents.work.is_none() {
                *holding = None;
            }
        }
        (frames, ends_at)
    }

    /// Drops everything after `position`, including the work of reading it.
    pub(in crate::hub) fn cut_frames(&mut self, position: u64) {
        if self.work == Some(WorkKind::Replay) {
            self.drop_work();
        }
        let mut holding = self.reader.holding.lock();
        if let Some(contents) = holding.as_mut() {
            contents.frames.retain(|(seq, _)| *seq <= position);
            contents.ends_at = contents.ends_at.min(position);
            self.hub.window().counters.release(contents.recount());
            self.reader.has_frames.store(!contents.frames.is_empty(), Ordering::Relaxed);
            if contents.frames.is_empty() && contents.work.is_none() {
                *holding = None;
            }
        }
    }

    pub(in crate::hub) fn start_work(&mut self, work: Work) {
        self.drop_work();
        self.work = Some(work.kind());
        self.keep_work(work);
    }

    fn keep_work(&self, work: Work) {
        let mut holding = self.reader.holding.lock();
        if self.reader.ended() != Some(Closed::Stall) {
            holding.get_or_insert_default().work = Some(work);
        }
    }

    pub(in crate::hub) fn drop_work(&mut self) {
        self.work = None;
        self.reader.is_waiting.store(false, Ordering::Relaxed);
        let work = self.reader.holding.lock().as_mut().and_then(|contents| contents.work.take());
        drop(work);
    }

    /// Waits for the work in progress; returns `None` if it was freed.
    ///
    /// Meanwhile the hub does not count the reader as one that does not read.
    pub(in crate::hub) fn poll_work(&mut self, cx: &Context<'_>) -> Poll<Option<Outcome>> {
        // Outside the lock: the work may be the application's.
        let work = self.reader.holding.lock().as_mut().and_then(|contents| contents.work.take());
        let Some(mut work) = work else {
            self.drop_work();
            return Poll::Ready(None);
        };
        self.reader.is_waiting.store(true, Ordering::Release);
        let alarm = Alarm { reader: Arc::clone(&self.reader), waker: cx.waker().clone() };
        let waker = Waker::from(Arc::new(alarm));
        let polled = work.poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            self.keep_work(work);
        } else {
            self.drop_work();
        }
        polled.map(Some)
    }
}
