use std::{
    error, fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::wire::{DecodeError, Decoder, Limits, Message};

/// Returns the messages in any stream of bytes, such as the body of a response from the HTTP client that you
/// already use.
///
/// Sends nothing and does not reconnect; for that see `EventSource`. The chunks may be cut anywhere. An
/// event that the stream's end cuts off is discarded, as the standard requires; [`MessageStream::is_mid_event`]
/// reports that.
///
/// ```
/// use std::convert::Infallible;
/// use futures_util::{StreamExt, stream};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let body = stream::iter([Ok::<_, Infallible>("data: hel"), Ok("lo\n\nda")]);
/// let mut messages = sse_core::decode::messages(body);
/// assert_eq!(messages.next().await.unwrap().unwrap().data(), "hello");
/// assert!(messages.next().await.is_none());
/// assert!(messages.is_mid_event());
/// # }
/// ```
pub fn messages<S, B, E>(bytes: S) -> MessageStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    MessageStream { bytes: Box::pin(bytes), decoder: Decoder::new(), chunk: Vec::new(), at: 0, ended: false }
}

/// Adds the method [`messages`](MessagesExt::messages) to every stream of bytes.
pub trait MessagesExt: Stream + Sized {
    /// Returns the messages in this stream of bytes; see the function [`messages`].
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use futures_util::{StreamExt, stream};
    /// use sse_core::decode::MessagesExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let body = stream::iter([Ok::<_, Infallible>("data: [DONE]\n\n")]);
    /// assert_eq!(body.messages().next().await.unwrap().unwrap().data(), "[DONE]");
    /// # }
    /// ```
    fn messages<B, E>(self) -> MessageStream<Self>
    where
        Self: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]>,
    {
        messages(self)
    }
}

impl<S: Stream> MessagesExt for S {}

/// The messages in a stream of bytes; made by [`messages`].
///
/// The stream ends with the bytes, or with the first error.
#[must_use = "streams do nothing unless polled"]
pub struct MessageStream<S> {
    bytes: Pin<Box<S>>,
    decoder: Decoder,
    chunk: Vec<u8>,
    /// The number of bytes of the chunk that have been decoded.
    at: usize,
    ended: bool,
}

impl<S> MessageStream<S> {
    /// Sets how much memory one event may take. The default is [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.decoder = self.decoder.limits(limits);
        self
    }

    /// Returns the `Last-Event-ID` of a request that would resume from here; empty if there is nothing to send.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Returns `true` if an event has begun and not ended. At the stream's end this means that the event was
    /// cut off.
    #[must_use]
    pub fn is_mid_event(&self) -> bool {
        self.decoder.is_mid_event()
    }
}

impl<S, B, E> Stream for MessageStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    type Item = Result<Message, MessagesError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.ended {
            let mut input = this.chunk.get(this.at..).unwrap_or_default();
            let message = this.decoder.messages(&mut input).next();
            this.at = this.chunk.len() - input.len();
            match message {
                Some(Ok(message)) => return Poll::Ready(Some(Ok(message))),
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(MessagesError::Decode(error))));
                }
                None => {}
            }
            match this.bytes.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    this.chunk.clear();
                    this.chunk.extend_from_slice(bytes.as_ref());
                    this.at = 0;
                }
                Poll::Ready(Some(Err(error))) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(MessagesError::Stream(error))));
                }
                Poll::Ready(None) => this.ended = true,
            }
        }
        Poll::Ready(None)
    }
}

impl<S> fmt::Debug for MessageStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}

/// The reason why a [`MessageStream`] ended before its bytes did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessagesError<E> {
    /// An event exceeds the limits.
    Decode(DecodeError),
    /// The stream of bytes failed.
    Stream(E),
}

impl<E: fmt::Display> fmt::Display for MessagesError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Stream(error) => write!(f, "event stream: the bytes ended with an error: {error}"),
        }
    }
}

impl<E: error::Error + 'static> error::Error for MessagesError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Stream(error) => Some(error),
        }
    }
}
