//! The sources of a stream's frames.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::channel::{BoxError, Receiver};
use crate::{
    hub::{Chunk, EndReason, MOST, Subscription},
    panic::Panic,
    request::Negotiated,
    shutdown::Shutdown,
    wire::{Frame, IntoFrame, write_retry},
};

type Frames = Pin<Box<dyn Stream<Item = Result<Frame, BoxError>> + Send>>;

pub(crate) enum Source {
    Subscription(Box<Subscription>),
    Frames(Frames),
    Receiver(Receiver),
}

/// The bytes that a source had ready: whole lines, shared with other readers or for this stream alone.
pub(crate) struct SourceChunk {
    pub(crate) bytes: Bytes,
    pub(crate) events: u64,
    /// The last `retry` in the bytes.
    pub(crate) retry: Option<Duration>,
    /// The time when the last of them was published, if known; approximately now.
    pub(crate) at: Option<Instant>,
}

impl Source {
    pub(crate) fn of_events<S>(stream: S) -> Self
    where
        S: Stream<Item: IntoFrame> + Send + 'static,
    {
        Self::Frames(Box::pin(Encoded { stream }))
    }

    pub(crate) fn of_results<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<E, BoxError>> + Send + 'static,
        E: IntoFrame,
    {
        Self::Frames(Box::pin(TryEncoded { stream }))
    }

    pub(crate) fn subscription(&self) -> Option<&Subscription> {
        match self {
            Self::Subscription(subscription) => Some(subscription),
            Self::Frames(_) | Self::Receiver(_) => None,
        }
    }

    pub(crate) fn subscription_mut(&mut self) -> Option<&mut Subscription> {
        match self {
            Self::Subscription(subscription) => Some(subscription),
            Self::Frames(_) | Self::Receiver(_) => None,
        }
    }

    /// Returns the handle that ends the stream with its hub.
    pub(crate) fn shutdown(&self) -> Option<&Shutdown> {
        self.subscription()?.hub().shutdown()
    }

    /// Returns how the request wants to be answered, as far as it states that.
    pub(crate) fn negotiated(&self) -> Negotiated {
        self.subscription().map(Subscription::negotiated).unwrap_or_default()
    }

    /// Returns the reason for which the reader was refused, if it was.
    pub(crate) fn refusal(&self) -> Option<&EndReason> {
        self.subscription()?.refusal()
    }

    /// Returns whether the response is for a probe, which reads nothing.
    pub(crate) fn is_probe(&self) -> bool {
        self.subscription().is_some_and(Subscription::is_probe)
    }

    /// Returns the hub's event that begins the response, if there is one.
    pub(crate) fn first_event(&mut self) -> Option<Frame> {
        let needs_discard = self.negotiated().needs_discard;
        self.subscription_mut()?.first_event(needs_discard)
    }

    /// Returns `true` if a reader that reconnects gets the events that it missed.
    pub(crate) fn resumes(&self) -> bool {
        self.subscription().is_some()
    }

    /// Returns a checkpoint, if the reader's position has moved past the last one announced to it.
    pub(crate) fn checkpoint(&mut self) -> Option<Frame> {
        self.subscription_mut()?.checkpoint()
    }

    /// Returns everything that is ready, up to a chunk's size, and the reason if the source has ended after
    /// that. The caller passes that reason back as `end`; the source is then not polled again. The last delay
    /// sent to the reader was `last_retry` milliseconds.
    #[inline]
    pub(crate) fn poll_chunk(
        &mut self,
        mut end: Option<EndReason>,
        last_retry: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(SourceChunk, Option<EndReason>), EndReason>> {
        if let Self::Subscription(subscription) = self {
            // Panics of application code are caught inside, with the events before them; this one is for a
            // custom history.
            let polled = Panic::catch(|| subscription.poll_chunk(cx, MOST));
            let chunk = polled.unwrap_or_else(|panic| Poll::Ready(Err(EndReason::Error(Arc::new(panic)))))?;
            return chunk.map(|Chunk { bytes, events, retry, at, .. }| {
                Ok((SourceChunk { bytes, events, retry, at }, None))
            });
        }
        let mut batch = FrameBatch::default();
        while end.is_none() && batch.len() < MOST {
            match self.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => batch.push(frame, last_retry),
                Poll::Ready(Some(Err(error))) => end = Some(EndReason::Error(Arc::from(error))),
                Poll::Ready(None) => end = Some(EndReason::Complete),
                Poll::Pending => break,
            }
        }
        match end {
            end if batch.events > 0 => Poll::Ready(Ok((batch.into_chunk(), end))),
            Some(end) => Poll::Ready(Err(end)),
            None => Poll::Pending,
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, BoxError>>> {
        match self {
            Self::Subscription(_) => Poll::Ready(None),
            Self::Frames(frames) => {
                let polled = Panic::catch(|| frames.as_mut().poll_next(cx));
                polled.unwrap_or_else(|panic| Poll::Ready(Some(Err(panic.into()))))
            }
            Self::Receiver(receiver) => receiver.poll_frame(cx),
        }
    }
}

/// Collects frames of one stream as they come; a single frame is sent unchanged.
#[derive(Default)]
struct FrameBatch {
    first: Option<Frame>,
    /// All frames, if there is more than one.
    all: Vec<u8>,
    events: u64,
    retry: Option<Duration>,
}

impl FrameBatch {
    fn len(&self) -> usize {
        self.first.as_ref().map_or(self.all.len(), |first| first.bytes().len())
    }

    #[inline]
    fn push(&mut self, frame: Frame, last_retry: u32) {
        self.events += 1;
        if self.events == 1 && !frame.is_comments_alone() {
            self.first = Some(frame);
        } else {
            self.join(&frame, last_retry);
        }
    }

    fn join(&mut self, frame: &Frame, last_retry: u32) {
        if let Some(first) = self.first.take() {
            self.all.reserve(4 * (first.bytes().len() + frame.bytes().len()));
            self.all.extend_from_slice(first.as_ref());
            self.retry = first.last_retry();
        }
        if frame.is_comments_alone() {
            write_retry(&mut self.all, self.retry.unwrap_or(Duration::from_millis(last_retry.into())));
        }
        self.all.extend_from_slice(frame.as_ref());
        self.retry = frame.last_retry().or(self.retry);
    }

    #[inline]
    fn into_chunk(self) -> SourceChunk {
        let Self { first, all, events, retry } = self;
        match first {
            Some(first) => {
                let retry = first.last_retry();
                SourceChunk { bytes: first.into_bytes(), events, retry, at: None }
            }
            None => SourceChunk { bytes: all.into(), events, retry, at: None },
        }
    }
}

pin_project! {
    struct Encoded<S> {
        #[pin]
        stream: S,
    }
}

impl<S: Stream<Item: IntoFrame>> Stream for Encoded<S> {
    type Item = Result<Frame, BoxError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = self.project().stream.poll_next(cx);
        event.map(|event| event.map(|event| event.into_frame().map_err(Into::into)))
    }
}

pin_project! {
    struct TryEncoded<S> {
        #[pin]
        stream: S,
    }
}

impl<S, E> Stream for TryEncoded<S>
where
    S: Stream<Item = Result<E, BoxError>>,
    E: IntoFrame,
{
    type Item = Result<Frame, BoxError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = self.project().stream.poll_next(cx);
        event.map(|event| event.map(|event| event?.into_frame().map_err(Into::into)))
    }
}
