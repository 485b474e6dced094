use poem::{FromRequest, Request, RequestBody};

sse_core::__define_last_event_id!("sse_poem");

impl<'a> FromRequest<'a> for LastEventId {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(sse_core::LastEventId::from_parts(request.method(), request.headers(), request.uri())))
    }
}
