use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};

sse_core::__define_error!("sse_axum");

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.into_inner().into_response().map(Body::from)
    }
}
