//! The module for pages: `ResumableSource`, an `EventSource` that sends headers, shares one connection among the tabs of a
//! browser, polls where a proxy holds streams back, and reports gaps. [The guide](crate::docs::browser) has examples.
//!
//! Each adapter has a `resumable_js` in its module of this name, which is a handler or a route of its framework.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
    },
};

/// The source of the module: JavaScript without dependencies, for `<script type="module">` or a bundler.
pub const RESUMABLE_JS: &str = include_str!("../browser/resumable.js");

const HASH: u64 = fnv1a(RESUMABLE_JS.as_bytes());

/// Returns the response to a request for the module: 200, or 304 if the browser already has it.
///
/// Browsers keep the module and ask each time whether it has changed. Pages of any origin may load it.
///
/// ```
/// # use http::{HeaderMap, StatusCode, header::{ETAG, IF_NONE_MATCH}};
/// let first = sse_core::browser::resumable_js(&HeaderMap::new());
/// let mut again = HeaderMap::new();
/// again.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
/// assert_eq!(sse_core::browser::resumable_js(&again).status(), StatusCode::NOT_MODIFIED);
/// ```
#[must_use]
pub fn resumable_js(request: &HeaderMap) -> Response<String> {
    let etag = format!("\"{HASH:016x}\"");
    let mut response = Response::new(String::new());
    if has(request, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        RESUMABLE_JS.clone_into(response.body_mut());
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        // Browsers load modules from other origins only with this. The source is the same for everyone.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// Returns `true` if `If-None-Match` names this tag; a proxy that compresses may have made it a weak one.
fn has(request: &HeaderMap, etag: &str) -> bool {
    let values = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The FNV-1a hash: it must only differ when the source does.
const fn fnv1a(mut bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while let [first, rest @ ..] = bytes {
        hash = (hash ^ *first as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    hash
}

#[cfg(test)]
mod tests;
