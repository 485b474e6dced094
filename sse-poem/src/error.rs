//! [`Error`], which a handler returns, and the errors that it unites.

use poem::{
    Body, IntoResponse, Response,
    error::ResponseError,
    http::{self, StatusCode},
};

pub use sse_core::error::*;

sse_core::__define_error!("sse_poem", crate::Sse, StatusCode, std::convert::identity);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        text(self.into_kind().into_response())
    }
}

/// Returns a response without a stream.
pub(crate) fn text(response: http::Response<String>) -> Response {
    let (head, body) = response.into_parts();
    let mut response = Response::from(Body::from(body));
    response.set_status(head.status);
    *response.headers_mut() = head.headers;
    response
}

impl ResponseError for Error {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn as_response(&self) -> Response {
        self.clone().into_response()
    }
}
