use http::{HeaderMap, HeaderName, Method, Request, Uri, header, request::Parts, uri::Authority};

use super::{
    AcceptEncoding, LastEventId,
    accept::{Accept, Form, Negotiated},
    origin::RequestOrigin,
};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The maximum length of an origin or a host in bytes: a name has at most 253, and a scheme and a port are
/// added. An allowed origin is sent back in a header, and a pattern such as `https://*.example.com` would allow
/// one of any length.
const MAX_ORIGIN: usize = 512;

/// A request for events: where it resumes, what its client accepts, and where it comes from.
///
/// Pass it to [`Subscribe::request`](crate::Subscribe::request); an [`OriginPolicy`](crate::origin::OriginPolicy) checks its
/// origin. Any request is accepted, whatever its bytes are. The adapters' type of this name is an extractor.
///
/// ```
/// use http::Request;
/// use sse_core::SseRequest;
///
/// let request = Request::get("/events?topic=a&last_event_id=7").header("accept", "text/event-stream").body(())?;
/// let request = SseRequest::from(&request);
/// assert_eq!(request.last_event_id().as_str(), Some("7"));
/// assert!(request.is_event_source() && !request.is_probe());
/// # Ok::<(), http::Error>(())
/// ```
///
/// The default is a GET without headers, from an unknown origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseRequest {
    last_event_id: LastEventId,
    accept: Accept,
    accept_encoding: AcceptEncoding,
    /// `None` unless the request's headers were read.
    origin: Option<Box<RequestOrigin>>,
    /// Whether a browser's `fetch` sent the request, although the `Accept` header is that of an `EventSource`.
    is_fetch: bool,
    /// Whether a browser on WebKit sent the request.
    is_webkit: bool,
    is_probe: bool,
}

impl SseRequest {
    /// Reads a request's method, target and headers.
    ///
    /// The server's name comes from the `Host` header, or from the target of an HTTP/2 request.
    #[must_use]
    pub fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let is_probe = matches!(*method, Method::HEAD | Method::OPTIONS | Method::TRACE);
        let accept = joined(headers, &header::ACCEPT).map(|accept| Accept::read(&accept));
        let encoding = joined(headers, &header::ACCEPT_ENCODING).map(|accept| AcceptEncoding::read(&accept));
        let text = |name| joined(headers, name).map(origin_text);
        let origin = RequestOrigin {
            origin: text(&header::ORIGIN),
            host: text(&header::HOST)
                .or_else(|| uri.authority().map(|host| origin_text(Authority::as_str(host).into()))),
            site: text(&SEC_FETCH_SITE),
            has_effect: has_effect(method) || (is_probe && asks_for_effect(headers)),
        };
        Self {
            last_event_id: LastEventId::new(uri, headers),
            accept: accept.unwrap_or_default(),
            accept_encoding: encoding.unwrap_or_default(),
            origin: Some(Box::new(origin)),
            is_fetch: headers.contains_key(SEC_FETCH_MODE) && !is_revalidating(headers),
            is_webkit: is_webkit(headers),
            is_probe,
        }
    }

    /// Returns the id of the last event that the client received; possibly [empty](LastEventId::is_empty).
    #[must_use]
    pub fn last_event_id(&self) -> &LastEventId {
        &self.last_event_id
    }

    /// Returns the encodings that the client accepts.
    #[must_use]
    pub fn accept_encoding(&self) -> AcceptEncoding {
        self.accept_encoding
    }

    /// Returns the origin of the page that sent the request, as the browser reports it; browsers omit it for most
    /// requests to the page's own origin, and other clients send none.
    ///
    /// Use an [`OriginPolicy`](crate::origin::OriginPolicy) to decide about it.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_ref()?.origin.as_deref()
    }

    /// Returns `true` if the request is a HEAD, OPTIONS or TRACE, which must not have effects (section 9.2.1 of
    /// RFC 9110).
    ///
    /// A subscription for such a [request](crate::Subscribe::request) reads nothing, does not count towards any limit
    /// and is not counted as a reader: it has the status and the headers that a GET would get, and no body. Check
    /// this before a handler has effects of its own.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Returns `true` if the `Accept` header excludes `text/event-stream`, by `text/event-stream;q=0`, `text/*;q=0` or
    /// `*/*;q=0`. A header that only names other types does not.
    #[must_use]
    pub fn excludes_stream(&self) -> bool {
        self.accept.excludes_stream()
    }

    /// Returns `true` if the client prefers an HTML page to an event stream, as a browser that follows a link
    /// does, so that one route can serve both.
    ///
    /// ```
    /// use http::Request;
    /// use sse_core::SseRequest;
    ///
    /// let of = |accept| Request::get("/").header("accept", accept).body(()).map(|request| SseRequest::from(&request));
    /// assert!(of("text/html,application/xhtml+xml,*/*;q=0.8")?.prefers_html());
    /// assert!(!of("text/event-stream")?.prefers_html());
    /// assert!(!of("*/*")?.prefers_html());
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn prefers_html(&self) -> bool {
        self.accept.prefers_html()
    }

    /// Returns `true` if the request may come from an `EventSource`, which stops for good after any status except
    /// 200.
    ///
    /// Browsers' `EventSource`, and the libraries that imitate it, send `Accept: text/event-stream` and nothing
    /// else. A browser's `fetch` with the same header is recognised by the missing `Cache-Control: no-cache`.
    /// Without an `Accept` header the client is unknown, and the answer is `true`.
    #[must_use]
    pub fn is_event_source(&self) -> bool {
        self.accept.is_of_event_source() && !self.is_fetch
    }

    /// Returns the origin of the request with what a policy needs to know, if it was read.
    pub(super) fn full_origin(&self) -> Option<&RequestOrigin> {
        self.origin.as_deref()
    }

    /// Returns the kind of response that the client wants; `None` if it accepts none of the forms that the handler
    /// sends, which are more than event streams only with fallbacks.
    pub(crate) fn negotiated(&self, has_fallbacks: bool) -> Option<Negotiated> {
        let form = if has_fallbacks {
            self.accept.form()?
        } else if self.excludes_stream() {
            return None;
        } else {
            Form::Stream
        };
        let is_event_source = self.is_event_source();
        let needs_discard = self.is_webkit && is_event_source;
        Some(Negotiated { form, is_event_source, needs_discard, accept_encoding: self.accept_encoding })
    }
}

impl From<&Self> for SseRequest {
    fn from(request: &Self) -> Self {
        request.clone()
    }
}

impl From<&Parts> for SseRequest {
    fn from(parts: &Parts) -> Self {
        Self::new(&parts.method, &parts.uri, &parts.headers)
    }
}

impl<B> From<&Request<B>> for SseRequest {
    fn from(request: &Request<B>) -> Self {
        Self::new(request.method(), request.uri(), request.headers())
    }
}

/// Returns `true` if a method may have effects: every method that RFC 9110 does not define as safe.
fn has_effect(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Returns `true` for a preflight for a method that may have effects.
fn asks_for_effect(headers: &HeaderMap) -> bool {
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    asked.is_some_and(|asked| Method::from_bytes(asked.as_bytes()).map_or(true, |asked| has_effect(&asked)))
}

/// Returns the text of an origin or a host in a request. If it is too long, returns a text that is neither, so
/// that nothing matches it and the text is not sent back.
fn origin_text(value: Vec<u8>) -> String {
    if value.len() > MAX_ORIGIN {
        return "too long".to_owned();
    }
    String::from_utf8_lossy(&value).into_owned()
}

/// Returns all values of a header, joined with commas.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
    (!values.is_empty()).then(|| values.join(&b','))
}

/// Returns `true` if the request has `Cache-Control: no-cache`, as every browser's `EventSource` sends.
fn is_revalidating(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

/// Returns `true` for a browser based on WebKit: Safari, every browser on iOS, WebKitGTK. Blink browsers name
/// WebKit too, but also Chrome.
fn is_webkit(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.contains("AppleWebKit/") && !agent.contains("Chrome/")
}
