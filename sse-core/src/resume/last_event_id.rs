use std::fmt;

use super::Cursor;
#[cfg(feature = "compress")]
use crate::compress::AcceptEncoding;

/// The names under which a request's query may carry the last event id, for clients that cannot set the header: our
/// own, better-sse's, and that of the older polyfills.
pub const QUERY_NAMES: [&str; 3] = ["last_event_id", "lastEventId", "evs_last_event_id"];

/// How much of an id that is not a cursor is kept, to be named in a gap notice.
const KEPT: usize = 128;

/// What a request says about where it left off: its `Last-Event-ID` header, or a query parameter in its place.
///
/// Any bytes are accepted; what is not a cursor of the hub becomes a gap notice and never an error
/// (section 9.2.4 of the HTML standard lets a browser send any text). It also remembers whether the `Accept`
/// header allows an event stream, which `subscribe` checks, and with the feature `compress` what `Accept-Encoding` says.
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
    refuses_stream: bool,
    #[cfg(feature = "compress")]
    accept_encoding: AcceptEncoding,
}

/// A request's cursor, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requested {
    Nothing,
    Cursor(Cursor),
    Malformed(String),
}

impl LastEventId {
    /// Reads the `Last-Event-ID` header, all `Accept` headers joined with commas, and the query string.
    ///
    /// The header wins over the query; of the query's parameters named in [`QUERY_NAMES`] the first counts. An empty
    /// value is none.
    #[must_use]
    pub fn from_request(header: Option<&[u8]>, accept: Option<&[u8]>, query: Option<&str>) -> Self {
        let mut last = Self { refuses_stream: accept.is_some_and(refuses_stream), ..Self::default() };
        match header.filter(|header| !header.is_empty()) {
            Some(header) => last.set(header),
            None => {
                let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
                if let Some((_, value)) = pairs.into_iter().find(|(name, _)| QUERY_NAMES.contains(&&**name)) {
                    last.set(value.as_bytes());
                }
            }
        }
        last
    }

    /// The text, if there is one and it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.text.as_deref().filter(|_| !self.not_utf8)
    }

    /// Whether the request said nothing: neither where it left off nor that it refuses a stream.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_none() && !self.refuses_stream
    }

    /// Whether the request's `Accept` header names types and `text/event-stream` is none of them.
    #[must_use]
    pub fn refuses_stream(&self) -> bool {
        self.refuses_stream
    }

    /// What was remembered of `Accept-Encoding`.
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
            Some(text) if self.not_utf8 => Requested::Malformed(text.clone()),
            Some(text) => match text.parse() {
                Ok(cursor) => Requested::Cursor(cursor),
                Err(_) => Requested::Malformed(shortened(text)),
            },
        }
    }

    fn set(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        if !value.is_empty() {
            self.not_utf8 = std::str::from_utf8(value).is_err();
            self.text = Some(String::from_utf8_lossy(value).into_owned());
        }
    }
}

impl fmt::Debug for LastEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A stranger's text may be long and hold anything: escaped and cut before it reaches a log.
        f.debug_tuple("LastEventId").field(&self.text.as_deref().map(shortened)).finish()
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

fn shortened(text: &str) -> String {
    let end = (0..=KEPT.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

/// RFC 9110 section 12.5.1: the most specific range that matches decides, and a weight of 0 refuses.
fn refuses_stream(accept: &[u8]) -> bool {
    let accept = String::from_utf8_lossy(accept);
    let mut named = false;
    let mut best: Option<(u8, bool)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        named = true;
        let precision = match &*name {
            "text/event-stream" => 2,
            "text/*" => 1,
            "*/*" | "*" => 0,
            _ => continue,
        };
        let refused = parts.any(|part| is_zero_weight(&part.to_ascii_lowercase()));
        if best.is_none_or(|(known, _)| precision >= known) {
            best = Some((precision, refused));
        }
    }
    best.map_or(named, |(_, refused)| refused)
}

fn is_zero_weight(parameter: &str) -> bool {
    parameter.strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok()) == Some(0.0)
}
