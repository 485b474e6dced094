//! Requests of clients.

use http::{Method, Request};
use sse_core::SseRequest;

/// A GET of this target with these headers.
pub(crate) fn get(target: &str, headers: &[(&str, &str)]) -> SseRequest {
    sent(&Method::GET, target, headers)
}

/// A request with this method.
pub(crate) fn sent(method: &Method, target: &str, headers: &[(&str, &str)]) -> SseRequest {
    let request = Request::builder().method(method).uri(target);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    SseRequest::from(&request.body(()).expect("a request"))
}
