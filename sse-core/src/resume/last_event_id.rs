use std::fmt;

use super::{
    Cursor,
    accept::{Accept, Negotiated},
    origin::RequestOrigin,
};
#[cfg(feature = "compress")]
use crate::compress::AcceptEncoding;
use crate::wire::EventId;

/// The names of the query parameters that may carry the last event id, for clients that cannot set the header:
/// this crate's own, better-sse's, and that of the older polyfills.
pub const QUERY_NAMES: [&str; 3] = ["last_event_id", "lastEventId", "evs_last_event_id"];

/// The names of the query parameters that request padding: better-sse's, and that of the older polyfills.
const PADDING_NAMES: [&str; 2] = ["padding", "evs_preamble"];

/// The values that switch padding off.
const NO_PADDING: [&str; 3] = ["", "0", "false"];

/// The maximum number of bytes kept of an id: an [`Event`](crate::Event) cannot send a longer one, and a request
/// may be remembered for as long as its stream lives.
const MAX_ID: usize = EventId::MAX_LEN;

/// The maximum number of bytes that a gap notice and the response's header repeat of an id that is not a cursor.
/// In ASCII JSON each byte becomes at most six, so that the response's head fits into the buffers of common
/// proxies.
const MAX_QUOTED: usize = 128;

/// The position at which a client continues, read from its request: the `Last-Event-ID` header, or a query
/// parameter instead.
///
/// Any bytes are accepted; text that is not a cursor of the hub becomes a gap notice and never an error (section
/// 9.2.4 of the HTML standard lets a browser send any text). At most 512 bytes are kept, and 128 of them are
/// quoted in the notice.
///
/// It also remembers how the client wants to be answered; a subscription that continues
/// [`after`](crate::Subscribe::after) it uses that. The `Accept` header selects an event stream, JSON lines or a
/// page of JSON. With `padding=true` (or `evs_preamble`) in the query, the response begins with 2 KiB of padding,
/// for buffers that hold back less. A refusal has a status that an [`EventSource`](LastEventId::is_event_source)
/// survives, or 503. With the feature `compress` it remembers `Accept-Encoding`. It also remembers the origin of
/// the request, for an [`OriginPolicy`](crate::origin::OriginPolicy), and whether it is a [probe](LastEventId::is_probe),
/// such as HEAD, for which no subscription is made. See [`docs::fallbacks`](crate::docs::fallbacks).
///
/// ```
/// use sse_core::LastEventId;
///
/// let last = LastEventId::from_request(Some(b"7"), None, None);
/// assert_eq!(last.as_str(), Some("7"));
/// assert_eq!(LastEventId::from_request(None, None, Some("topic=a&last_event_id=8")).as_str(), Some("8"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LastEventId {
    text: Option<String>,
    not_utf8: bool,
    accept: Accept,
    wants_padding: bool,
    /// Whether a browser's `fetch` sent the request, although the `Accept` header is that of an `EventSource`.
    is_fetch: bool,
    /// `None` unless the request's headers were read.
    origin: Option<Box<RequestOrigin>>,
    /// Whether a browser on WebKit sent the request.
    is_webkit: bool,
    is_probe: bool,
    #[cfg(feature = "compress")]
    accept_encoding: AcceptEncoding,
}

/// The parsed cursor of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requested {
    Nothing,
    Cursor(Cursor),
    Malformed(String),
}

impl LastEventId {
    /// Reads the `Last-Event-ID` header, all `Accept` headers joined with commas, and the query string.
    ///
    /// The header wins over the query; if the query has several spellings of the parameter, the first
    /// counts. An empty value counts as absent.
    #[must_use]
    pub fn from_request(header: Option<&[u8]>, accept: Option<&[u8]>, query: Option<&str>) -> Self {
        let mut last = Self { accept: accept.map(Accept::read).unwrap_or_default(), ..Self::default() };
        let mut in_query = None;
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if PADDING_NAMES.contains(&&*name) {
                last.wants_padding = !NO_PADDING.contains(&&*value);
            } else if in_query.is_none() && QUERY_NAMES.contains(&&*name) {
                in_query = Some(value);
            }
        }
        match (header.filter(|header| !header.is_empty()), in_query) {
            (Some(header), _) => last.set(header),
            (None, Some(value)) => last.set(value.as_bytes()),
            (None, None) => {}
        }
        last
    }

    /// Returns the text, if there is one and it is UTF-8; at most its first 512 bytes, because an event's id is
    /// not longer.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.text.as_deref().filter(|_| !self.not_utf8)
    }

    /// Returns `true` if the request has no position, does not refuse a stream and is not a probe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_none() && !self.refuses_stream() && !self.is_probe
    }

    /// Returns `true` if the request is a HEAD, OPTIONS or TRACE, which must not have effects (section 9.2.1 of
    /// RFC 9110).
    ///
    /// A subscription [`after`](crate::Subscribe::after) it reads nothing, does not count towards any limit and is
    /// not counted as a reader: it has the status and the headers that a GET would get, and no body. Check this
    /// before a handler has effects of its own.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Returns `true` if the request's `Accept` header names types but does not accept `text/event-stream`.
    #[must_use]
    pub fn refuses_stream(&self) -> bool {
        self.accept.refuses_stream()
    }

    /// Returns `true` if the client prefers an HTML page to an event stream, as a browser that follows a link
    /// does, so that one route can serve both.
    ///
    /// ```
    /// use sse_core::LastEventId;
    ///
    /// let of = |accept: &str| LastEventId::from_request(None, Some(accept.as_bytes()), None);
    /// assert!(of("text/html,application/xhtml+xml,*/*;q=0.8").prefers_html());
    /// assert!(!of("text/event-stream").prefers_html());
    /// assert!(!of("*/*").prefers_html());
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

    /// Sets whether the request comes from a browser's `fetch`.
    pub(crate) fn of_fetch(self, is_fetch: bool) -> Self {
        Self { is_fetch, ..self }
    }

    /// Sets the origin of the request.
    pub(crate) fn of_origin(self, origin: RequestOrigin) -> Self {
        Self { origin: Some(Box::new(origin)), ..self }
    }

    /// Sets the kind of the request's method; a method that is not a probe may have effects.
    pub(crate) fn of_method(mut self, is_probe: bool, has_effect: bool) -> Self {
        self.is_probe = is_probe;
        if let Some(origin) = &mut self.origin {
            origin.has_effect = has_effect || (is_probe && origin.asks_for_effect);
        }
        self
    }

    /// Returns the origin of the request, if it was read.
    pub(super) fn origin(&self) -> Option<&RequestOrigin> {
        self.origin.as_deref()
    }

    /// Sets whether the request comes from a browser on WebKit.
    pub(crate) fn of_webkit(self, is_webkit: bool) -> Self {
        Self { is_webkit, ..self }
    }

    /// Returns the kind of response that the client wants; `None` if it accepts none of the supported forms.
    pub(crate) fn negotiated(&self) -> Option<Negotiated> {
        let form = self.accept.form()?;
        let is_event_source = self.is_event_source();
        let needs_discard = self.is_webkit && is_event_source;
        Some(Negotiated { form, is_event_source, wants_padding: self.wants_padding, needs_discard })
    }

    /// Returns the remembered `Accept-Encoding`.
    #[cfg(feature = "compress")]
    #[must_use]
    pub fn accept_encoding(&self) -> AcceptEncoding {
        self.accept_encoding
    }

    /// Remembers all `Accept-Encoding` headers, joined with commas, for `compress`.
    ///
    /// ```
    /// use sse_core::LastEventId;
    ///
    /// let last = LastEventId::from_request(None, None, None).with_accept_encoding(Some(b"gzip, br"));
    /// assert!(last.accept_encoding().allows_gzip());
    /// ```
    #[cfg(feature = "compress")]
    #[must_use]
    pub fn with_accept_encoding(self, header: Option<&[u8]>) -> Self {
        Self { accept_encoding: AcceptEncoding::from_request(header), ..self }
    }

    pub(crate) fn requested(&self) -> Requested {
        match &self.text {
            None => Requested::Nothing,
            Some(text) => match text.parse() {
                Ok(cursor) if !self.not_utf8 => Requested::Cursor(cursor),
                _ => Requested::Malformed(shortened(text, MAX_QUOTED).to_owned()),
            },
        }
    }

    fn set(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        if !value.is_empty() {
            let text = std::str::from_utf8(value);
            self.not_utf8 = text.is_err();
            self.text = Some(match text {
                Ok(text) => shortened(text, MAX_ID).to_owned(),
                // Each byte that is not UTF-8 becomes a character of three bytes, so the text is cut again.
                Err(_) => {
                    let text = String::from_utf8_lossy(value.get(..MAX_ID).unwrap_or(value));
                    shortened(&text, MAX_ID).to_owned()
                }
            });
        }
    }
}

impl fmt::Debug for LastEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Text from outside may be long and contain anything: it is escaped and cut before it reaches a log.
        f.debug_tuple("LastEventId")
            .field(&self.text.as_deref().map(|text| shortened(text, MAX_QUOTED)))
            .finish()
    }
}

impl From<&str> for LastEventId {
    fn from(text: &str) -> Self {
        Self::from_request(Some(text.as_bytes()), None, None)
    }
}

impl From<String> for LastEventId {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Cursor> for LastEventId {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string().into()
    }
}

impl<T: Into<LastEventId>> From<Option<T>> for LastEventId {
    fn from(value: Option<T>) -> Self {
        value.map(Into::into).unwrap_or_default()
    }
}

/// Returns the first characters of a text, at most `max` bytes.
fn shortened(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
