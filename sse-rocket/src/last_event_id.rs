use std::convert::Infallible;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

sse_core::__define_last_event_id!("sse_rocket");

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEventId {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let query = request.uri().query().map(|query| query.as_str());
        Outcome::Success(Self(sse_core::LastEventId::from_headers(&headers(request), query)))
    }
}

/// The request's headers as the core takes them; an HTTP/2 request names its host elsewhere.
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
