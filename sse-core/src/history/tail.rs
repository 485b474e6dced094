//! A tail: a stream that tasks fill.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{HistoryError, TailEvent};

/// The number of items that may wait for the hub before the engine waits.
const CAPACITY: usize = 256;

/// The sender for what tasks learn from the engine; it fails once the stream was dropped.
pub(crate) type TailEvents = mpsc::Sender<Result<TailEvent, HistoryError>>;

/// The receiving end; when it is dropped, its tasks end.
pub(crate) struct TailStream {
    changes: mpsc::Receiver<Result<TailEvent, HistoryError>>,
    tasks: Vec<AbortHandle>,
}

/// Returns a stream, and the sender of its items.
pub(crate) fn channel() -> (TailEvents, TailStream) {
    let (sender, changes) = mpsc::channel(CAPACITY);
    (sender, TailStream { changes, tasks: Vec::new() })
}

impl TailStream {
    /// Spawns a task that fills the stream; needs a runtime.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task).abort_handle());
    }
}

impl Stream for TailStream {
    type Item = Result<TailEvent, HistoryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.changes.poll_recv(cx)
    }
}

impl Drop for TailStream {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}
