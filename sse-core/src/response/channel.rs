use std::{
    error, fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    thread,
};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use crate::{
    panic::Panic,
    wire::{Frame, IntoFrame, InvalidEvent},
};

/// An application's error, boxed.
pub(crate) type BoxError = Box<dyn error::Error + Send + Sync>;

/// Creates a channel for one handler's events: give the [`Receiver`] to `Sse::new`, and send from anywhere.
///
/// `capacity` is the number of events that the channel holds before [`send`](Sender::send) waits; 0
/// counts as 1. The stream ends when every sender is dropped; if a panic dropped one of them, it ends as a
/// failed stream.
///
/// ```
/// use sse_core::{Event, channel};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (tx, events) = channel(32);
/// assert!(tx.send(Event::message("hello")).await.is_ok());
/// drop(events);
/// assert!(tx.send(Event::message("anyone?")).await.is_err());
/// # }
/// ```
pub fn channel(capacity: usize) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let panicked = Arc::new(AtomicBool::new(false));
    let sender = Sender { sender: PollSender::new(sender), panicked: Arc::clone(&panicked) };
    (sender, Receiver { receiver, panicked })
}

/// The sending half of a [`channel`]; also a `Sink`.
#[derive(Clone)]
pub struct Sender {
    sender: PollSender<Frame>,
    /// Whether a panic dropped a sender.
    panicked: Arc<AtomicBool>,
}

impl Sender {
    /// Sends an event, waiting while the channel is full.
    ///
    /// # Errors
    /// [`SendError::Left`] if the reader has left: stop working for it. [`SendError::Event`] if the event is
    /// not valid; the channel stays usable.
    pub async fn send(&self, event: impl IntoFrame) -> Result<(), SendError> {
        let frame = event.into_frame()?;
        let sender = self.sender.get_ref().ok_or(SendError::Left)?;
        sender.send(frame).await.map_err(|_| SendError::Left)
    }

    /// Waits until the reader has left.
    ///
    /// Axum and Warp report this at once; Rocket and Poem report it at the next write, so within two
    /// keep-alives.
    pub async fn closed(&self) {
        if let Some(sender) = self.sender.get_ref() {
            sender.closed().await;
        }
    }

    /// Returns `true` if the reader has left.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.get_ref().is_none_or(mpsc::Sender::is_closed)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if thread::panicking() {
            self.panicked.store(true, Ordering::Release);
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish()
    }
}

impl<E: IntoFrame> Sink<E> for Sender {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.sender.poll_reserve(cx).map_err(|_| SendError::Left)
    }

    fn start_send(mut self: Pin<&mut Self>, event: E) -> Result<(), SendError> {
        let frame = event.into_frame()?;
        self.sender.send_item(frame).map_err(|_| SendError::Left)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.sender.close();
        Poll::Ready(Ok(()))
    }
}

/// The receiving half of a [`channel`]: a stream of frames.
#[derive(Debug)]
#[must_use = "dropping it tells the senders that the reader has left"]
pub struct Receiver {
    receiver: mpsc::Receiver<Frame>,
    panicked: Arc<AtomicBool>,
}

impl Receiver {
    /// Returns the next frame, or the failure if the senders ended because one of them panicked.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, BoxError>>> {
        self.receiver.poll_recv(cx).map(|frame| match frame {
            Some(frame) => Some(Ok(frame)),
            None if self.panicked.load(Ordering::Acquire) => Some(Err(Panic::in_task().into())),
            None => None,
        })
    }

    /// Returns the next frame; `None` when every sender is dropped.
    pub async fn next(&mut self) -> Option<Frame> {
        self.receiver.recv().await
    }

    /// Returns the frames as a `Stream`, for combinators.
    pub fn frames(self) -> impl Stream<Item = Frame> + Send + Sync {
        Frames(self)
    }
}

struct Frames(Receiver);

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.0.receiver.poll_recv(cx)
    }
}

/// The reason why an event was not sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SendError {
    /// The event is not valid; the channel stays usable.
    Event(InvalidEvent),
    /// The reader has left; stop working for it.
    Left,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::Left => f.write_str("send: the reader has left; stop working for it"),
        }
    }
}

impl error::Error for SendError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Event(error) => Some(error),
            Self::Left => None,
        }
    }
}

impl From<InvalidEvent> for SendError {
    fn from(error: InvalidEvent) -> Self {
        Self::Event(error)
    }
}
