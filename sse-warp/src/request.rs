use warp::http::Request;

sse_core::__define_request!("sse_warp");

impl SseRequest {
    pub(crate) fn of(request: &Request<()>) -> Self {
        Self(request.into())
    }
}

impl LastEventId {
    pub(crate) fn of(request: &Request<()>) -> Self {
        Self(sse_core::LastEventId::new(request.uri(), request.headers()))
    }
}
