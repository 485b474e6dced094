use std::fmt;

use http::{HeaderMap, HeaderName, Uri};

use crate::{
    resume::{Cursor, Requested},
    wire::EventId,
};

const HEADER: HeaderName = HeaderName::from_static("last-event-id");

/// The names of the query parameter that carries the id, for clients that cannot set the header: this crate's own, and
/// that of better-sse.
const QUERY_NAMES: [&str; 2] = ["last_event_id", "lastEventId"];

/// The maximum number of bytes kept of an id: an [`Event`](crate::Event) cannot send a longer one, and a request
/// may be remembered for as long as its stream lives.
const MAX_ID: usize = EventId::MAX_LEN;

/// The maximum number of bytes that a gap notice and the response's header repeat of an id that is not a cursor.
/// In ASCII JSON each byte becomes at most six, so that the response's head fits into the buffers of common
/// proxies.
const MAX_QUOTED: usize = 128;

/// The id of the last event that a client received, if it sent one.
///
/// Read from the `Last-Event-ID` header, or else from the query parameter `last_event_id` (or `lastEventId`). Use it
/// for a plain stream whose events have ids of your own. A subscription of a hub takes the whole request instead:
/// [`Subscribe::request`](crate::Subscribe::request).
///
/// Any bytes are accepted, because a browser may send any text (section 9.2.4 of the HTML standard). At most 512
/// bytes are kept.
///
/// ```
/// use http::{HeaderMap, HeaderValue, Uri};
/// use sse_core::LastEventId;
///
/// let mut headers = HeaderMap::new();
/// let uri = Uri::from_static("/ticks?last_event_id=8");
/// assert_eq!(LastEventId::new(&uri, &headers).as_str(), Some("8"));
/// headers.insert("last-event-id", HeaderValue::from_static("7"));
/// assert_eq!(LastEventId::new(&uri, &headers).as_str(), Some("7"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LastEventId {
    text: Option<String>,
    not_utf8: bool,
}

impl LastEventId {
    /// Reads the id from a request's headers, or else from its query.
    ///
    /// The header wins over the query, because a browser keeps the query of the first connection; if the query has
    /// several ids, the first counts. An empty value counts as absent.
    #[must_use]
    pub fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        Self::read(headers.get(HEADER).map(|value| value.as_bytes()), uri.query())
    }

    pub(super) fn read(header: Option<&[u8]>, query: Option<&str>) -> Self {
        if let Some(header) = header.filter(|header| !header.is_empty()) {
            return Self::from_bytes(header);
        }
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let value = pairs.find(|(name, _)| QUERY_NAMES.contains(&&**name)).map(|(_, value)| value);
        value.map(|value| Self::from_bytes(value.as_bytes())).unwrap_or_default()
    }

    /// Returns the text, if there is one and it is UTF-8; at most its first 512 bytes, because an event's id is
    /// not longer.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.text.as_deref().filter(|_| !self.not_utf8)
    }

    /// Returns `true` if the client sent no id.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
    }

    /// Parses the id as a hub's cursor.
    pub(crate) fn requested(&self) -> Requested {
        match &self.text {
            None => Requested::Nothing,
            Some(text) => match text.parse() {
                Ok(cursor) if !self.not_utf8 => Requested::Cursor(cursor),
                _ => Requested::Malformed(shortened(text, MAX_QUOTED).to_owned()),
            },
        }
    }

    fn from_bytes(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        if value.is_empty() {
            return Self::default();
        }
        let text = std::str::from_utf8(value);
        let not_utf8 = text.is_err();
        let text = match text {
            Ok(text) => shortened(text, MAX_ID).to_owned(),
            // Each byte that is not UTF-8 becomes a character of three bytes, so the text is cut again.
            Err(_) => {
                let text = String::from_utf8_lossy(value.get(..MAX_ID).unwrap_or(value));
                shortened(&text, MAX_ID).to_owned()
            }
        };
        Self { text: Some(text), not_utf8 }
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
        Self::from_bytes(text.as_bytes())
    }
}

impl From<String> for LastEventId {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<EventId> for LastEventId {
    fn from(id: EventId) -> Self {
        id.as_str().into()
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
