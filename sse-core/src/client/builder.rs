use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use super::{
    Attempts, Backoff, Disconnect, EventSource, Events, HyperTransport, InvalidRequest, Redirects, Transport,
    Verdict,
    backoff::Waits,
    driver::Driver,
    headers, location,
    machine::{Machine, Options},
    policy::Timeout,
    target::{LAST_EVENT_ID, Target},
    transport::DynTransport,
};
use crate::wire::{Decoder, Limits};

/// The time limit for a head, and for each byte after it, where the request is repeated.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_millis(37_500);

/// The options of a client; from [`EventSource::get`], [`post`](EventSource::post) or
/// [`from_request`](EventSource::from_request).
///
/// Nothing is sent before the stream that [`connect`](EventSourceBuilder::connect) returns is polled.
#[must_use = "a builder does nothing until `connect` is called"]
pub struct EventSourceBuilder {
    request: Result<Request<Bytes>, http::Error>,
    last_event_id: Option<String>,
    backoff: Backoff,
    redirects: Redirects,
    limits: Limits,
    parts: Option<usize>,
    gzip: bool,
    connect_timeout: Timeout,
    idle_timeout: Timeout,
    options: Options,
    transport: Option<Arc<dyn DynTransport>>,
}

impl EventSourceBuilder {
    pub(super) fn new(request: Result<Request<Bytes>, http::Error>) -> Self {
        let options = Options {
            first: Attempts::unlimited(),
            reconnection: Attempts::unlimited(),
            connect_timeout: None,
            idle_timeout: None,
            retry_unavailable: false,
            repeat: false,
            hook: None,
        };
        Self {
            request,
            last_event_id: None,
            backoff: Backoff::default(),
            redirects: Redirects::default(),
            limits: Limits::default(),
            parts: None,
            gzip: false,
            connect_timeout: Timeout::Default,
            idle_timeout: Timeout::Default,
            options,
            transport: None,
        }
    }

    /// Adds a header. It replaces the client's own `accept`, `accept-encoding` or `cache-control`.
    pub fn header<K, V>(mut self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K, Error: Into<http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<http::Error>>,
    {
        self.request = self.request.and_then(|mut request| {
            let name = HeaderName::try_from(name).map_err(Into::into)?;
            let value = HeaderValue::try_from(value).map_err(Into::into)?;
            request.headers_mut().append(name, value);
            Ok(request)
        });
        self
    }

    /// Sets the request's body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request = self.request.map(|request| request.map(|_| body.into()));
        self
    }

    /// Resumes after the event with this id, such as one that an earlier process has saved. An empty id counts
    /// as none. White space around the id, such as a file's last line feed, is removed.
    ///
    /// An id that cannot be sent in a header is [`InvalidRequest::LastEventId`] when the client is made; so is
    /// such an id in a `last-event-id` header.
    ///
    /// The id is sent only to the origin of the request's address, even after a redirect.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    /// Limits the number and the time of tries until the first stream opens. The default is unlimited, as in browsers.
    pub fn first_connection(mut self, attempts: Attempts) -> Self {
        self.options.first = attempts;
        self
    }

    /// Limits the number and the time of tries after a stream was lost. The default is unlimited, as in browsers.
    pub fn reconnection(mut self, attempts: Attempts) -> Self {
        self.options.reconnection = attempts;
        self
    }

    /// Sets how long to wait before each try. See [`Backoff`].
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Tries again after 429 and 5xx, but not before `Retry-After`. By default they are final, as in browsers.
    pub fn retry_unavailable(mut self) -> Self {
        self.options.retry_unavailable = true;
        self
    }

    /// Repeats the request even if its method may change something on the server, such as POST.
    ///
    /// By default only GET, HEAD and OPTIONS are repeated. Other requests are sent once: the stream ends with
    /// the response, and the client waits for the response without a time limit (see
    /// [`idle_timeout`](Self::idle_timeout)).
    pub fn repeat(mut self) -> Self {
        self.options.repeat = true;
        self
    }

    /// Sets which redirects to follow. See [`Redirects`].
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Sets the time limit for the head of a response; `None` means unlimited.
    ///
    /// The default is 30 s for requests that are repeated. Those that are sent once have none (see
    /// [`repeat`](Self::repeat)), because their response would be lost for good. With the default transport,
    /// connecting always has a limit of 30 s.
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = Timeout::Chosen(timeout.into());
        self
    }

    /// Closes a connection after this time without a single byte; `None` never does.
    ///
    /// The default is 37.5 s for requests that are repeated: two and a half times the 15 s after which most
    /// servers send a keep-alive. Raise it for a server that sends none. For requests that are sent once (see
    /// [`repeat`](Self::repeat)) the default is `None`: a model may think for minutes. With the default
    /// transport, TCP and HTTP/2 still detect a server that has disappeared.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = Timeout::Chosen(timeout.into());
        self
    }

    /// Sets how large an event may be, and what happens to a larger one. See [`Limits`].
    ///
    /// With [`Oversized::Fail`](crate::decode::Oversized::Fail), the default, the client stops, because it would
    /// receive the same event again; with [`Oversized::Skip`](crate::decode::Oversized::Skip) the cursor moves past the
    /// event.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reports the data of large events before their end, in parts of at least `bytes` bytes, so that an event
    /// of any size takes bounded memory.
    ///
    /// Only [`events`](Self::events) reports parts, as [`ClientEvent::Part`](super::ClientEvent::Part);
    /// [`connect`](Self::connect) always collects whole messages. See [`Decoder::report_parts`].
    pub fn parts(mut self, bytes: usize) -> Self {
        self.parts = Some(bytes);
        self
    }

    /// Calls `hook` after each lost connection and each failed try, to decide what to do.
    ///
    /// The hook gets the cause and what the client would do, and its return value decides. But it cannot add a
    /// try beyond [`first_connection`](Self::first_connection) or [`reconnection`](Self::reconnection).
    ///
    /// ```
    /// use sse_core::{EventSource, client::{Disconnect, Verdict}};
    ///
    /// let source = EventSource::get("http://127.0.0.1/events").on_disconnect(|cause, verdict| match cause {
    ///     Disconnect::Status(refusal) if refusal.status == 404 => Verdict::Retry,
    ///     _ => verdict,
    /// });
    /// # let _ = source;
    /// ```
    pub fn on_disconnect(
        mut self,
        hook: impl FnMut(&Disconnect, Verdict) -> Verdict + Send + 'static,
    ) -> Self {
        self.options.hook = Some(Box::new(hook));
        self
    }

    /// Allows the server to compress by gzip or deflate, and decompresses the response.
    ///
    /// Off by default: compression saves bytes for large text events, and otherwise costs memory and delay.
    #[cfg(feature = "gzip")]
    pub fn gzip(mut self) -> Self {
        self.gzip = true;
        self
    }

    /// Sends requests with another HTTP client. The default is a [`HyperTransport`] of the client's own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Returns the client as a stream of messages. It connects when it is first polled.
    ///
    /// # Errors
    /// [`InvalidRequest`] if the address, a header or the last event id is not valid, or the default transport cannot send
    /// the request at all.
    pub fn connect(self) -> Result<EventSource, InvalidRequest> {
        Ok(EventSource::new(self.driver(false)?))
    }

    /// Returns the client as a stream of all its events. It connects when it is first polled.
    ///
    /// # Errors
    /// The same as for [`connect`](Self::connect).
    pub fn events(self) -> Result<Events, InvalidRequest> {
        Ok(Events::new(self.driver(true)?))
    }

    fn driver(mut self, shows_all: bool) -> Result<Driver, InvalidRequest> {
        let mut request = self.request.map_err(InvalidRequest::Http)?;
        location::check(request.uri())
            .map_err(|reason| InvalidRequest::Address { uri: request.uri().to_string(), reason })?;
        let header = request.headers_mut().remove(LAST_EVENT_ID);
        let last_event_id = match (&self.last_event_id, &header) {
            (Some(id), _) => headers::cursor(id.as_bytes())?,
            (None, Some(header)) => headers::cursor(header.as_bytes())?,
            (None, None) => String::new(),
        };
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let transport = HyperTransport::new();
                transport.check(request.uri()).map_err(InvalidRequest::Transport)?;
                Arc::new(transport)
            }
        };
        let mut decoder = Decoder::with_last_event_id(last_event_id).limits(self.limits);
        if shows_all {
            decoder = decoder.report_comments();
            if let Some(bytes) = self.parts {
                decoder = decoder.report_parts(bytes);
            }
        }
        let target = Target::new(request, self.redirects, self.gzip);
        let is_repeatable = self.options.repeat || target.is_safe();
        self.options.connect_timeout = self.connect_timeout.resolve(CONNECT_TIMEOUT, is_repeatable);
        self.options.idle_timeout = self.idle_timeout.resolve(IDLE_TIMEOUT, is_repeatable);
        let machine = Machine::new(self.options, target, Waits::new(self.backoff), decoder);
        Ok(Driver::new(machine, transport))
    }
}

impl EventSource {
    /// Requests an address by GET. By default it reconnects without a limit.
    pub fn get<U>(uri: U) -> EventSourceBuilder
    where
        Uri: TryFrom<U, Error: Into<http::Error>>,
    {
        EventSourceBuilder::new(Request::builder().method(Method::GET).uri(uri).body(Bytes::new()))
    }

    /// Requests an address by POST. The request is sent once: see [`repeat`](EventSourceBuilder::repeat).
    pub fn post<U>(uri: U) -> EventSourceBuilder
    where
        Uri: TryFrom<U, Error: Into<http::Error>>,
    {
        EventSourceBuilder::new(Request::builder().method(Method::POST).uri(uri).body(Bytes::new()))
    }

    /// Sends a complete request, with any method, headers and body.
    pub fn from_request(request: Request<impl Into<Bytes>>) -> EventSourceBuilder {
        EventSourceBuilder::new(Ok(request.map(Into::into)))
    }
}

impl fmt::Debug for EventSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSourceBuilder").field("request", &self.request).finish_non_exhaustive()
    }
}
