//! What the hub holds for one reader alone until the reader takes it.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
};

use super::replay::ReplayOutcome;
use crate::hub::{
    Subscription,
    control_events::{self, Notice},
    options::filter::PermittedFrame,
    options::snapshot::Loaded,
    readers::reader::{Closed, Reader},
    stats::Counters,
};
use crate::{panic::Panic, resume::Cursor, wire::Frame};

/// Frames that are sent before the reader's next poll of the window, and the work that it waits for.
///
/// The holding belongs to the [`Reader`] and not to the [`Subscription`], so that the sweep can free it while
/// the body is not polled. Nearly always it is empty, and then it is a pointer.
#[derive(Default)]
pub(crate) struct Holding(Mutex<Option<Box<Contents>>>);

#[derive(Default)]
pub(in crate::hub) struct Contents {
    /// The frames, each with its position.
    frames: VecDeque<(u64, Frame)>,
    bytes: usize,
    /// The position once all frames are sent.
    through: u64,
    work: Option<Work>,
}

/// The hub's own work that a reader waits for.
pub(in crate::hub) enum Work {
    Replay(Pin<Box<dyn Future<Output = ReplayOutcome> + Send>>),
    Snapshot(Pin<Box<dyn Future<Output = Loaded> + Send>>),
}

/// The result of the work.
pub(in crate::hub) enum Outcome {
    Replay(ReplayOutcome),
    Snapshot(Loaded),
}

/// The kind of work in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum WorkKind {
    Replay,
    Snapshot,
}

impl Work {
    fn kind(&self) -> WorkKind {
        match self {
            Self::Replay(_) => WorkKind::Replay,
            Self::Snapshot(_) => WorkKind::Snapshot,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self {
            Self::Replay(replay) => replay.as_mut().poll(cx).map(Outcome::Replay),
            Self::Snapshot(snapshot) => {
                let polled = Panic::catch(|| snapshot.as_mut().poll(cx));
                polled.unwrap_or_else(|panic| Poll::Ready(Err(Arc::new(panic)))).map(Outcome::Snapshot)
            }
        }
    }
}

impl Holding {
    /// Frees everything.
    pub(in crate::hub) fn free(&self, counters: &Counters) {
        let contents = self.lock().take();
        // Outside the lock: the drop may run the application's future.
        if let Some(contents) = contents {
            counters.release(contents.bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Contents>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Takes as much as fits into `max` bytes, but at least one frame.
    fn take(&mut self, max: usize) -> Vec<(u64, Frame)> {
        let mut bytes = 0;
        let fits = |(_, frame): &&(u64, Frame)| {
            bytes += frame.bytes().len();
            bytes <= max
        };
        let count = self.frames.iter().take_while(fits).count().max(1).min(self.frames.len());
        self.frames.drain(..count).collect()
    }

    /// Counts the bytes again; returns how many fewer there are.
    fn recount(&mut self) -> usize {
        let bytes = self.frames.iter().map(|(_, frame)| frame.bytes().len()).sum();
        std::mem::replace(&mut self.bytes, bytes).saturating_sub(bytes)
    }
}

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
        first.is_some_and(|(seq, _)| *seq <= self.position)
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
        self.add([(self.position, notice.into_frame())], self.position);
    }

    /// Sends frames before the next poll, after which the reader is at `through`; returns whether there were
    /// any.
    pub(in crate::hub) fn hold(
        &mut self,
        frames: impl IntoIterator<Item = PermittedFrame>,
        through: u64,
    ) -> bool {
        self.add(frames.into_iter().map(PermittedFrame::into_parts), through)
    }

    fn add(&mut self, frames: impl IntoIterator<Item = (u64, Frame)>, through: u64) -> bool {
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
        contents.through = through;
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
        let through = contents.frames.is_empty().then_some(contents.through);
        let taken = frames.iter().map(|(_, frame)| frame.bytes().len()).sum();
        contents.bytes = contents.bytes.saturating_sub(taken);
        self.hub.window().counters.release(taken);
        if through.is_some() {
            self.reader.has_frames.store(false, Ordering::Relaxed);
            if contents.work.is_none() {
                *holding = None;
            }
        }
        (frames, through)
    }

    /// Drops everything after `position`, including the work of reading it.
    pub(in crate::hub) fn cut_frames(&mut self, position: u64) {
        if self.work == Some(WorkKind::Replay) {
            self.drop_work();
        }
        let mut holding = self.reader.holding.lock();
        if let Some(contents) = holding.as_mut() {
            contents.frames.retain(|(seq, _)| *seq <= position);
            contents.through = contents.through.min(position);
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
