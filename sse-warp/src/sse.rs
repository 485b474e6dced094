use sse_core::IntoEventStream;
use warp::reply::{Reply, Response};

sse_core::__define_sse!("sse_warp");

impl Reply for Sse {
    fn into_response(self) -> Response {
        let (head, body) = self.into_event_stream().into_response().into_parts();
        let mut response = warp::reply::stream(body).into_response();
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
