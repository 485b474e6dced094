use std::{error, fmt, future::Future, time::Duration};

use futures_core::Stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

#[cfg(feature = "compress")]
use super::compressed::Compressed;
use super::{
    Body, KeepAlive, Receiver,
    options::Options,
    request::allow,
    source::{BoxError, Source},
    unavailable, vary,
    written::BodyFormat,
};
#[cfg(feature = "compress")]
use crate::AcceptEncoding;
use crate::{
    Shutdown,
    hub::{EndReason, Subscription, gap_json},
    wire::{IntoFrame, limited},
};

/// The cache rules for an event stream, and for anything else. A page, JSON lines or a refusal is meant for one
/// request at one moment; a browser that stores it would show it again on the way back.
const STREAM_CACHING: &str = "no-cache, no-transform";
const OTHER_CACHING: &str = "no-store, no-transform";

/// The header that repeats a gap, for clients that can read headers.
const SSE_GAP: header::HeaderName = header::HeaderName::from_static("sse-gap");

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
    source: Source,
    options: Options,
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

    /// Sends gzip to a reader whose request allows it, flushed with every chunk; all responses get
    /// `Vary: Accept-Encoding`.
    ///
    /// Pass what the request's [`LastEventId`](crate::LastEventId) holds, or the header's text.
    ///
    /// # What it costs
    /// Readers of a hub that requested the same topics share one compressor, which compresses each event once,
    /// for any number of readers. The compressor takes about 310 KB and keeps at most 768 KB of its output for
    /// readers that are slightly behind; it is freed after 10 to 20 s without an event. Each reader costs about
    /// 400 bytes more. A reader joins the others where the compressor starts afresh: at once after a pause,
    /// otherwise every 64 events or 64 KiB if a reader waits for it. Until then, and while the reader catches
    /// up, its events are compressed without reference to earlier ones. Data for one reader alone (keep-alives,
    /// checkpoints, events that pass a filter or are read from the history) is sent uncompressed if it is
    /// short, and separates the reader from the others until the compressor starts afresh.
    ///
    /// Every other stream has its own compressor. A process has at most 256 open compressors, about 80 MB;
    /// streams beyond that are valid, but hardly smaller than without compression.
    ///
    /// # When it leaks
    /// The compressed length reveals whether two texts are alike (this attack is called BREACH). Do not
    /// compress streams that contain one user's secret together with text that another person can choose.
    ///
    /// ```
    /// use sse_core::{Event, EventStream};
    ///
    /// let ticks = || futures_util::stream::iter([Event::message("tick")]);
    /// let response = EventStream::new(ticks()).compress("gzip, deflate, br").into_response();
    /// assert_eq!(response.headers()["content-encoding"], "gzip");
    /// let response = EventStream::new(ticks()).compress("br").into_response();
    /// assert!(!response.headers().contains_key("content-encoding"));
    /// ```
    #[cfg(feature = "compress")]
    pub fn compress(mut self, accepts: impl Into<AcceptEncoding>) -> Self {
        self.options.compress = Some(accepts.into());
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
    /// A reader that has all events of finished topics gets 204, so that it does not reconnect. A subscription
    /// is answered in the format that its request prefers: an event stream, JSON lines or a JSON page. If the
    /// subscription was refused, an `EventSource` gets 200 and an end, and other clients get 503 with
    /// `Retry-After`. A subscription for a [probe](crate::LastEventId::is_probe) gets the same head without a
    /// body. Each of these responses has `Vary: Accept`, and all but event streams and 204 must not be stored.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let Self { source, options } = self;
        let mut headers = HeaderMap::with_capacity(5);
        let mut status = StatusCode::OK;
        let mut over = None;
        let mut written = BodyFormat::for_source(&source, options.keep_alive.as_ref());
        let is_probe = matches!(&source, Source::Subscription(subscription) if subscription.is_probe());
        if let Source::Subscription(subscription) = &source {
            // `Accept` decides the format, and whether a refusal is a status; so for each status and each
            // format.
            vary(&mut headers, "accept");
            if let Some(gap) = subscription.gap().and_then(|gap| HeaderValue::try_from(gap_json(gap)).ok()) {
                headers.insert(SSE_GAP, gap);
            }
            if let Some(cors) = subscription.cors() {
                allow(&mut headers, cors);
            }
            if subscription.is_no_content() {
                (status, over, written) = (StatusCode::NO_CONTENT, Some(EndReason::Finished), None);
            }
        }
        if let Some(end) = source.refusal().filter(|_| !source.negotiated().is_event_source) {
            status = StatusCode::SERVICE_UNAVAILABLE;
            headers.insert(header::RETRY_AFTER, unavailable::retry_after(options.retry));
            (over, written) = (Some(end.clone()), Some(unavailable::answer(end)));
        }
        let caching = if written.is_some() { OTHER_CACHING } else { STREAM_CACHING };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        if status != StatusCode::NO_CONTENT {
            let content_type = written.as_ref().map_or("text/event-stream", BodyFormat::content_type);
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if status == StatusCode::OK {
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        #[cfg(feature = "compress")]
        if options.compress.is_some() {
            vary(&mut headers, "accept-encoding");
        }
        #[cfg(feature = "compress")]
        let source = match (status, &written, options.compress) {
            (StatusCode::OK, None, Some(accepts)) if accepts.allows_gzip() => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                Source::Compressed(Box::new(Compressed::new(source)))
            }
            _ => source,
        };
        let body =
            if is_probe { Body::none(source, options) } else { Body::new(source, options, written, over) };
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

/// Reports how a stream ended and what was sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamSummary {
    /// The reason.
    pub end: EndReason,
    /// The number of events handed to the server, including checkpoints and the hub's other notices.
    pub events: u64,
    /// The number of bytes handed to the server, in the form in which they are sent.
    pub bytes: u64,
    /// The duration of the stream.
    pub lasted: Duration,
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
