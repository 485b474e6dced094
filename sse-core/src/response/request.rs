use http::{HeaderMap, header};

use crate::resume::LastEventId;

const LAST_EVENT_ID: header::HeaderName = header::HeaderName::from_static("last-event-id");

impl LastEventId {
    /// Reads a request's headers and query string; see [`from_request`](LastEventId::from_request).
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, query: Option<&str>) -> Self {
        let last = headers.get(LAST_EVENT_ID).map(|value| value.as_bytes());
        let accept: Vec<_> = headers.get_all(header::ACCEPT).iter().map(|value| value.as_bytes()).collect();
        let accept = (!accept.is_empty()).then(|| accept.join(&b','));
        let request = Self::from_request(last, accept.as_deref(), query);
        #[cfg(feature = "compress")]
        let request = {
            let codings = headers.get_all(header::ACCEPT_ENCODING).iter();
            let codings: Vec<_> = codings.map(|value| value.as_bytes()).collect();
            request.with_accept_encoding((!codings.is_empty()).then(|| codings.join(&b',')).as_deref())
        };
        request
    }
}
