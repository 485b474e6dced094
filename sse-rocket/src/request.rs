use std::convert::Infallible;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use rocket::{
    Request,
    http::Method,
    request::{FromRequest, Outcome},
};

sse_core::__define_request!("sse_rocket");

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SseRequest {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let core = sse_core::SseRequest::new(&method(request), &uri(request), &headers(request));
        Outcome::Success(Self(core))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEventId {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self(sse_core::LastEventId::new(&uri(request), &headers(request))))
    }
}

/// Returns the method as the client sent it, if it was stored: Rocket turns a HEAD into a GET for the handlers
/// of GETs.
pub(crate) fn method(request: &Request<'_>) -> http::Method {
    let method = match (remember_method(request), request.method()) {
        (Method::Head, Method::Get) => Method::Head,
        (_, method) => method,
    };
    // Rocket has parsed it, so it is a method.
    http::Method::from_bytes(method.as_str().as_bytes()).unwrap_or_default()
}

/// Stores the request's method, before the request is routed.
pub(crate) fn remember_method(request: &Request<'_>) -> Method {
    struct Sent(Method);

    request.local_cache(|| Sent(request.method())).0
}

/// Returns the request's headers for the core; an HTTP/2 request has its host elsewhere.
pub(crate) fn headers(request: &Request<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in request.headers().iter() {
        let name = HeaderName::from_bytes(pair.name().as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(pair.value().as_bytes())) {
            headers.append(name, value);
        }
    }
    if !headers.contains_key(header::HOST)
        && let Some(host) = request.host().and_then(|host| HeaderValue::try_from(host.to_string()).ok())
    {
        headers.insert(header::HOST, host);
    }
    headers
}

/// Returns the target, which Rocket has parsed.
pub(crate) fn uri(request: &Request<'_>) -> http::Uri {
    request.uri().to_string().parse().unwrap_or_default()
}
