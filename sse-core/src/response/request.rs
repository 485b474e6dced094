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
        let request = Self::from_request(last, accept.as_deref(), query);
        let request = request.of_fetch(is_fetch).of_webkit(is_webkit(headers));
        #[cfg(feature = "compress")]
        let request = {
            let codings = headers.get_all(header::ACCEPT_ENCODING).iter();
            let codings: Vec<_> = codings.map(|value| value.as_bytes()).collect();
            request.with_accept_encoding((!codings.is_empty()).then(|| codings.join(&b',')).as_deref())
        };
        request
    }
}

/// Whether it says `Cache-Control: no-cache`, as every browser's `EventSource` does.
fn is_revalidating(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

/// Whether a browser on WebKit sends it: Safari, every browser on iOS, WebKitGTK. Blink names WebKit too, but itself as well.
fn is_webkit(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.contains("AppleWebKit/") && !agent.contains("Chrome/")
}
