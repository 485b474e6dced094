use std::{error, fmt, future::Future, time::Duration};

use futures_core::Stream;
use http::{HeaderValue, Response, header};

#[cfg(feature = "fallbacks")]
use super::fallback::{JsonLines, PageBody};
use super::{
    Body, Receiver,
    channel::BoxError,
    head::Answer,
    keep_alive::KeepAlive,
    source::Source,
    stream::{Meter, Options, StreamBody, StreamSummary},
    unavailable,
};
use crate::{
    hub::{EndReason, Subscription},
    request::Form,
    shutdown::Shutdown,
    wire::{IntoFrame, limited},
};

/// A response of events that is independent of any framework: status, headers and body.
///
/// The adapters' `Sse` wraps one; use it directly only to write an adapter. The body never fails, and ends with
/// a complete event: an error of the application is logged and ends the stream after the events before it.
///
/// ```
/// use sse_core::{Event, EventStream};
///
/// let stream = EventStream::new(futures_util::stream::iter([Event::message("hello")]));
/// let response = stream.into_response();
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// ```
#[must_use = "a stream does nothing until it is returned as a response"]
pub struct EventStream {
    pub(super) source: Source,
    pub(super) options: Options,
}

impl EventStream {
    /// Creates a response from a stream of [`Event`](crate::Event)s or [`Frame`](crate::Frame)s, a
    /// [`Subscription`], or a channel's [`Receiver`].
    pub fn new(events: impl IntoEventStream) -> Self {
        events.into_event_stream()
    }

    /// Creates a response from a stream that may fail: the first error is logged and ends the response.
    pub fn try_new<S, E, X>(events: S) -> Self
    where
        S: Stream<Item = Result<E, X>> + Send + 'static,
        E: IntoFrame + 'static,
        X: Into<Box<dyn error::Error + Send + Sync>> + 'static,
    {
        Self::of(Source::of_results(Boxed { events }))
    }

    /// Sets the keep-alive. `None` disables it; the server may then not notice that a reader has left.
    pub fn keep_alive(mut self, keep_alive: impl Into<Option<KeepAlive>>) -> Self {
        self.options.keep_alive = keep_alive.into();
        self
    }

    /// Ends the stream when `future` completes, before another byte is written. Can be called more than once;
    /// the first future to complete wins.
    pub fn until(mut self, future: impl Future<Output = ()> + Send + 'static) -> Self {
        self.options.until.push(Box::pin(future));
        self
    }

    /// Ends the stream at this age, or up to a fifth earlier so that many do not end together; the reader
    /// reconnects.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.options.max_age = Some(max_age);
        self
    }

    /// Sets the minimum time that a reader waits before it reconnects. Each connection gets its own value, up
    /// to twice as long but never more than 1 h, to spread reconnects.
    ///
    /// The default is 2 s. The limits are those of [`Event::retry`](crate::Event::retry): 500 ms and 1 h; the
    /// nearest limit replaces a value beyond them.
    #[track_caller]
    pub fn retry(mut self, retry: Duration) -> Self {
        self.options.retry = limited(retry);
        self
    }

    /// Calls `hook` once when the stream has ended, with the reason and what was sent.
    pub fn on_end(mut self, hook: impl FnOnce(StreamSummary) + Send + 'static) -> Self {
        self.options.on_end = Some(Box::new(hook));
        self
    }

    /// Returns the handle that ends the stream with its hub, if the hub has one.
    #[must_use]
    pub fn shutdown(&self) -> Option<&Shutdown> {
        self.source.shutdown()
    }

    /// Returns `true` if the application itself set an end, with [`until`](EventStream::until).
    #[must_use]
    pub fn has_until(&self) -> bool {
        !self.options.until.is_empty()
    }

    /// Builds the response.
    ///
    /// A reader that has all events of finished topics gets 204, so that it does not reconnect. If the subscription
    /// was refused, an `EventSource` gets 200 and an end, and other clients get 503 with `Retry-After`. With
    /// [`fallbacks`](crate::docs::fallbacks), a subscription is answered in the form that its request prefers: an
    /// event stream, JSON lines or a JSON page. A subscription for a [probe](crate::SseRequest::is_probe) gets the
    /// same head without a body. Each of these responses has `Vary: Accept`, and all but event streams and 204 must
    /// not be stored.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let Self { mut source, options } = self;
        let answer = Answer::to(&source);
        let mut headers = answer.headers(&source, &options);
        let encoding = match options.gzip {
            Some(gzip) if matches!(answer, Answer::Events(Form::Stream)) => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                Some(gzip(&mut source))
            }
            _ => None,
        };
        let status = answer.status();
        let body = match answer {
            _ if source.is_probe() => Body::none(Meter::new(&source, options.on_end)),
            Answer::NoContent => Body::text(Meter::new(&source, options.on_end), EndReason::Finished, ""),
            Answer::Unavailable(end) => {
                let text = unavailable::text(&end);
                Body::text(Meter::new(&source, options.on_end), end, text)
            }
            #[cfg(feature = "fallbacks")]
            Answer::Events(Form::Page) => Body::page(PageBody::new(source, options)),
            #[cfg(feature = "fallbacks")]
            Answer::Events(Form::Lines) => {
                Body::stream(StreamBody::new(source, options, Some(Box::new(JsonLines::new()))))
            }
            Answer::Events(_) => Body::stream(StreamBody::new(source, options, encoding)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    pub(crate) fn of(source: Source) -> Self {
        Self { source, options: Options::default() }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

/// The types that `Sse::new` accepts: a stream of events or frames, a [`Subscription`], a channel's
/// [`Receiver`], or an [`EventStream`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as server-sent events",
    label = "not a stream of events",
    note = "`Sse::new` takes a `Stream` of `Event` or `Frame`, a `Subscription` or a channel's `Receiver`",
    note = "for a stream of `Result<Event, E>` use `Sse::try_new`",
    note = "a subscription is awaited first: `Sse::new(hub.subscribe(topic).await?)`",
    note = "the stream must be `Send` and own what it uses (`'static`)"
)]
pub trait IntoEventStream {
    /// Converts `self` to a response.
    fn into_event_stream(self) -> EventStream;
}

impl<S> IntoEventStream for S
where
    S: Stream<Item: IntoFrame> + Send + 'static,
{
    fn into_event_stream(self) -> EventStream {
        EventStream::of(Source::of_events(self))
    }
}

impl IntoEventStream for Subscription {
    fn into_event_stream(self) -> EventStream {
        EventStream::of(Source::Subscription(Box::new(self)))
    }
}

impl IntoEventStream for Receiver {
    fn into_event_stream(self) -> EventStream {
        EventStream::of(Source::Receiver(self))
    }
}

impl IntoEventStream for EventStream {
    fn into_event_stream(self) -> EventStream {
        self
    }
}

pin_project_lite::pin_project! {
    /// A stream with boxed errors.
    struct Boxed<S> {
        #[pin]
        events: S,
    }
}

impl<S, E, X> Stream for Boxed<S>
where
    S: Stream<Item = Result<E, X>>,
    X: Into<BoxError>,
{
    type Item = Result<E, BoxError>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.project().events.poll_next(cx).map(|event| event.map(|event| event.map_err(Into::into)))
    }
}
