use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use sse_core::IntoEventStream;

sse_core::__define_sse!("sse_axum");

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        self.into_event_stream().into_response().map(Body::from_stream)
    }
}
