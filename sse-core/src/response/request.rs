use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority};

use super::vary;
use crate::resume::{Cors, LastEventId, RequestOrigin};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The maximum length of an origin or a host in bytes: a name has at most 253, and a scheme and a port are
/// added. An allowed origin is sent back in a header, and a pattern such as `https://*.example.com` would allow
/// one of any length.
const MAX_ORIGIN: usize = 512;

impl LastEventId {
    /// Reads the headers and the query string of a GET; see [`from_request`](LastEventId::from_request).
    ///
    /// The server's name comes from the `Host` header, which an HTTP/2 request does not have. Set any other
    /// method with [`with_method`](LastEventId::with_method); [`from_parts`](LastEventId::from_parts) reads all
    /// of these.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, query: Option<&str>) -> Self {
        Self::from_both(headers, None, query)
    }

    /// Reads a request's method, its headers and its target.
    #[must_use]
    pub fn from_parts(method: &Method, headers: &HeaderMap, uri: &Uri) -> Self {
        Self::from_both(headers, uri.authority().map(Authority::as_str), uri.query()).with_method(method)
    }

    /// Sets the request's method, if it is not GET: HEAD and OPTIONS must not have effects, and an
    /// [`OriginPolicy`](crate::origin::OriginPolicy) may restrict the other methods.
    ///
    /// ```
    /// use http::Method;
    /// use sse_core::LastEventId;
    ///
    /// assert!(LastEventId::from("7").with_method(&Method::HEAD).is_probe());
    /// assert!(!LastEventId::from("7").is_probe());
    /// ```
    #[must_use]
    pub fn with_method(self, method: &Method) -> Self {
        let is_probe = matches!(*method, Method::HEAD | Method::OPTIONS | Method::TRACE);
        self.of_method(is_probe, has_effect(method))
    }

    fn from_both(headers: &HeaderMap, authority: Option<&str>, query: Option<&str>) -> Self {
        let last = headers.get(LAST_EVENT_ID).map(|value| value.as_bytes());
        let accept = joined(headers, &header::ACCEPT);
        let is_fetch = headers.contains_key(SEC_FETCH_MODE) && !is_revalidating(headers);
        let text = |name| joined(headers, name).map(origin_text);
        let origin = RequestOrigin {
            origin: text(&header::ORIGIN),
            host: text(&header::HOST).or_else(|| authority.map(|host| origin_text(host.into()))),
            site: text(&SEC_FETCH_SITE),
            has_effect: false,
            asks_for_effect: asks_for_effect(headers),
        };
        let request = Self::from_request(last, accept.as_deref(), query);
        let request = request.of_fetch(is_fetch).of_webkit(is_webkit(headers)).of_origin(origin);
        #[cfg(feature = "compress")]
        let request = request.with_accept_encoding(joined(headers, &header::ACCEPT_ENCODING).as_deref());
        request
    }
}

/// Adds the CORS headers for the page's origin.
pub(super) fn allow(headers: &mut HeaderMap, cors: &Cors) {
    for (name, value) in cors.headers() {
        if name == header::VARY {
            vary(headers, value);
        } else if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(name, value);
        }
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
