use http::{HeaderMap, header};

use crate::resume::LastEventId;

const LAST_EVENT_ID: header::HeaderName = header::HeaderName::from_static("last-event-id");
const SEC_FETCH_MODE: header::HeaderName = header::HeaderName::from_static("sec-fetch-mode");

impl LastEventId {
    /// Reads a request's headers and query string; see [`from_request`](LastEventId::from_request).
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, query: Option<&str>) -> Self {
        let last = headers.get(LAST_EVENT_ID).map(|value| value.as_bytes());
        let accept: Vec<_> = headers.get_all(header::ACCEPT).iter().map(|value| value.as_bytes()).collect();
        let accept = (!accept.is_empty()).then(|| accept.join(&b','));
        let is_fetch = headers.contains_key(SEC_FETCH_MODE) && !is_revalidating(headers);
        Self::from_request(last, accept.as_deref(), query).of_fetch(is_fetch)
    }
}

/// Whether it says `Cache-Control: no-cache`, as every browser's `EventSource` does.
fn is_revalidating(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}
