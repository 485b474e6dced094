//! [`Error`], which a handler returns, and the errors that it unites.

use std::io::Cursor;

use rocket::{
    Request,
    http::Status,
    response::{self, Responder, Response},
};

pub use sse_core::error::*;

sse_core::__define_error!("sse_rocket", crate::Sse, Status, status);

impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        text(self.into_kind().into_response())
    }
}

/// Converts to Rocket's own type.
fn status(status: http::StatusCode) -> Status {
    Status::new(status.as_u16())
}

/// Returns a response without a stream.
pub(crate) fn text(response: http::Response<String>) -> response::Result<'static> {
    let (head, body) = response.into_parts();
    let mut response = Response::build();
    response.status(status(head.status));
    add_headers(&mut response, &head.headers);
    response.sized_body(body.len(), Cursor::new(body)).ok()
}

/// Adds headers. Rocket's headers are text.
pub(crate) fn add_headers(response: &mut response::Builder<'_>, headers: &http::HeaderMap) {
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        response.raw_header_adjoin(name.to_string(), value);
    }
}
