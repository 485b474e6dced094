use poem::{Body, IntoResponse, Response};
use sse_core::IntoEventStream;

sse_core::__define_sse!("sse_poem");

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        let (head, body) = self.into_event_stream().into_response().into_parts();
        let mut response = Response::from(Body::from_bytes_stream(body));
        response.set_status(head.status);
        *response.headers_mut() = head.headers;
        response
    }
}
