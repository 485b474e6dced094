//! A tail as a stream that tasks fill.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{HistoryError, TailEvent};

/// How many changes wait for the hub before the engine does.
const CAPACITY: usize = 256;

/// Where tasks put what they learn of the engine; it fails once the stream was dropped.
pub(crate) type TailEvents = mpsc::Sender<Result<TailEvent, HistoryError>>;

/// The receiving end; its tasks end when it is dropped.
pub(crate) struct TailStream {
    changes: mpsc::Receiver<Result<TailEvent, HistoryError>>,
    tasks: Vec<AbortHandle>,
}

/// A stream, and where to put its items.
pub(crate) fn channel() -> (TailEvents, TailStream) {
    let (sender, changes) = mpsc::channel(CAPACITY);
    (sender, TailStream { changes, tasks: Vec::new() })
}

impl TailStream {
    /// Lets a task fill the stream; needs a runtime.
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
