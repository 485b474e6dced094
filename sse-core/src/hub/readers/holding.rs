//! What the hub holds for one reader alone until the reader takes it.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::time::Instant;

use crate::hub::{options::filter::PermittedFrame, options::snapshot::Loaded, stats::Counters};
use crate::{history::HistoryError, panic::Panic, wire::Frame};

/// Frames that are sent before the reader's next poll of the window, and the work that it waits for.
///
/// The holding belongs to the reader and not to its subscription, so that the sweep can free it while
/// the body is not polled. Nearly always it is empty, and then it is a pointer.
#[derive(Default)]
pub(crate) struct Holding(Mutex<Option<Box<Contents>>>);

#[derive(Default)]
pub(in crate::hub) struct Contents {
    /// The frames, each with its position.
    pub(in crate::hub) frames: VecDeque<(u64, Frame)>,
    pub(in crate::hub) bytes: usize,
    /// The position once all frames are sent.
    pub(in crate::hub) ends_at: u64,
    pub(in crate::hub) work: Option<Work>,
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
    pub(in crate::hub) fn kind(&self) -> WorkKind {
        match self {
            Self::Replay(_) => WorkKind::Replay,
            Self::Snapshot(_) => WorkKind::Snapshot,
        }
    }

    pub(in crate::hub) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
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

    pub(in crate::hub) fn lock(&self) -> MutexGuard<'_, Option<Box<Contents>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Takes as much as fits into `max` bytes, but at least one frame.
    pub(in crate::hub) fn take(&mut self, max: usize) -> Vec<(u64, Frame)> {
        let mut bytes = 0;
        let fits = |(_, frame): &&(u64, Frame)| {
            bytes += frame.bytes().len();
            bytes <= max
        };
        let count = self.frames.iter().take_while(fits).count().max(1).min(self.frames.len());
        self.frames.drain(..count).collect()
    }

    /// Counts the bytes again; returns how many fewer there are.
    pub(in crate::hub) fn recount(&mut self) -> usize {
        let bytes = self.frames.iter().map(|(_, frame)| frame.bytes().len()).sum();
        std::mem::replace(&mut self.bytes, bytes).saturating_sub(bytes)
    }
}

/// The result of a read of the history.
pub(crate) enum ReplayOutcome {
    /// Everything up to `ends_at` was read; the frames are those for the reader's topics.
    Read {
        frames: Vec<PermittedFrame>,
        ends_at: u64,
        /// When this reader may continue to read, if it must wait.
        next_at: Option<Instant>,
        /// The reader's filter panicked at the next record.
        failure: Option<Panic>,
    },
    /// The requested events are no longer stored.
    Trimmed { oldest: u64 },
    /// The history does not respond, or is ahead of this process.
    Failed(HistoryError),
}
