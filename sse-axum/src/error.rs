//! [`Error`], which a handler returns, and the errors that it unites.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};

pub use sse_core::error::*;

sse_core::__define_error!("sse_axum", crate::Sse, http::StatusCode, std::convert::identity);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.into_kind().into_response().map(Body::from)
    }
}
