//! [`Error`], which a handler returns, and the errors that it unites.

use warp::reply::{Reply, Response};

pub use sse_core::error::*;

sse_core::__define_error!("sse_warp", crate::Sse, warp::http::StatusCode, std::convert::identity);

impl Reply for Error {
    fn into_response(self) -> Response {
        self.into_kind().into_response().map(Into::into)
    }
}
