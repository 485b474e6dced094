use std::{error, fmt, future::Future, time::Duration};

use futures_core::Stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{
    Body, KeepAlive, Receiver,
    body::Options,
    source::{BoxError, Source},
    unavailable,
    written::Written,
};
use crate::{
    Shutdown,
    hub::{End, Subscription, gap_json},
    wire::{IntoFrame, MAX_RETRY, MIN_RETRY},
};

/// The header that repeats a gap, for clients that can read headers.
const SSE_GAP: header::HeaderName = header::HeaderName::from_static("sse-gap");

/// A response of events that no framework knows yet: status, headers and body.
///
/// The adapters' `Sse` is made of one; use it directly only to write an adapter. Its body never fails, and ends with a
/// complete event: an error of the application is logged and ends the stream, after what came before it.
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
    source: Source,
    options: Options,
}

impl EventStream {
    /// A response of a stream of [`Event`](crate::Event)s or [`Frame`](crate::Frame)s, a [`Subscription`], or a
    /// channel's [`Receiver`].
    pub fn new(events: impl IntoEventStream) -> Self {
        events.into_event_stream()
    }

    /// A response of a stream that may fail: the first error is logged and ends it.
    pub fn try_new<S, E, X>(events: S) -> Self
    where
        S: Stream<Item = Result<E, X>> + Send + 'static,
        E: IntoFrame + 'static,
        X: Into<Box<dyn error::Error + Send + Sync>> + 'static,
    {
        Self::of(Source::of_results(Boxed { events }))
    }

    /// When it says that it is alive; `None` never does, and then a gone reader may not be noticed.
    pub fn keep_alive(mut self, keep_alive: impl Into<Option<KeepAlive>>) -> Self {
        self.options.keep_alive = keep_alive.into();
        self
    }

    /// Ends when `future` completes, before another byte is written; of several, when the first does.
    pub fn until(mut self, future: impl Future<Output = ()> + Send + 'static) -> Self {
        self.options.until.push(Box::pin(future));
        self
    }

    /// Ends at this age, or up to a fifth earlier so that many do not end together; the reader reconnects.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.options.max_age = Some(max_age);
        self
    }

    /// How long a reader waits before it reconnects, at least; each is told up to twice as long, so that many do not
    /// come back together. The default is 2 s; the limits are 500 ms and 1 h.
    pub fn retry(mut self, retry: Duration) -> Self {
        self.options.retry = retry.clamp(MIN_RETRY, MAX_RETRY / 2);
        self
    }

    /// Calls `hook` once when it has ended, with the reason and what was sent.
    pub fn on_end(mut self, hook: impl FnOnce(Ended) + Send + 'static) -> Self {
        self.options.on_end = Some(Box::new(hook));
        self
    }

    /// The handle that ends it with its hub, if the hub has one.
    #[must_use]
    pub fn shutdown(&self) -> Option<&Shutdown> {
        self.source.shutdown()
    }

    /// Whether the application itself has named its end, with [`until`](EventStream::until).
    #[must_use]
    pub fn has_until(&self) -> bool {
        !self.options.until.is_empty()
    }

    /// The finished response.
    ///
    /// A reader that has everything of finished topics gets 204, which tells it to stay away. A subscription is answered
    /// as its request wants: as an event stream, JSON lines or a page of JSON; and where it was refused, 200 and an end
    /// for an `EventSource`, 503 with `Retry-After` for others.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let Self { source, options } = self;
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
        let mut status = StatusCode::OK;
        let mut over = None;
        let mut written = Written::for_source(&source, options.keep_alive.as_ref());
        if let Source::Subscription(subscription) = &source {
            if let Some(gap) = subscription.gap().and_then(|gap| HeaderValue::try_from(gap_json(gap)).ok()) {
                headers.insert(SSE_GAP, gap);
            }
            if subscription.is_no_content() {
                (status, over, written) = (StatusCode::NO_CONTENT, Some(End::Finished), None);
            }
        }
        if let Some(end) = source.refusal().filter(|_| !source.negotiated().is_event_source) {
            status = StatusCode::SERVICE_UNAVAILABLE;
            headers.insert(header::RETRY_AFTER, unavailable::retry_after(options.retry));
            (over, written) = (Some(end.clone()), Some(unavailable::answer(end)));
        }
        if status != StatusCode::NO_CONTENT {
            let content_type = written.as_ref().map_or("text/event-stream", Written::content_type);
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if status == StatusCode::OK {
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        let mut response = Response::new(Body::new(source, options, written, over));
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

/// How a stream ended and what it carried.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ended {
    /// Why.
    pub end: End,
    /// The events handed to the server, checkpoints and the hub's other notices included.
    pub events: u64,
    /// The bytes handed to the server.
    pub bytes: u64,
    /// How long it lasted.
    pub lasted: Duration,
}

/// What `Sse::new` takes: a stream of events or frames, a [`Subscription`], a channel's [`Receiver`], or an
/// [`EventStream`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as server-sent events",
    label = "not a stream of events",
    note = "`Sse::new` takes a `Stream` of `Event` or `Frame`, a `Subscription` or a channel's `Receiver`",
    note = "for a stream of `Result<Event, E>` use `Sse::try_new`",
    note = "a subscription is awaited first: `Sse::new(hub.subscribe(topic).await?)`",
    note = "the stream must be `Send` and own what it uses (`'static`)"
)]
pub trait IntoEventStream {
    /// The response.
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
    /// A stream with its errors boxed.
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
