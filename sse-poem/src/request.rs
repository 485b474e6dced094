use poem::{FromRequest, Request, RequestBody};

sse_core::__define_request!("sse_poem");

impl<'a> FromRequest<'a> for SseRequest {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(sse_core::SseRequest::new(request.method(), request.uri(), request.headers())))
    }
}

impl<'a> FromRequest<'a> for LastEventId {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(sse_core::LastEventId::new(request.uri(), request.headers())))
    }
}
