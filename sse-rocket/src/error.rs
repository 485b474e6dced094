use std::io::Cursor;

use rocket::{
    Request,
    http::{ContentType, Status},
    response::{self, Responder, Response},
};

sse_core::__define_error!("sse_rocket");

impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let (head, body) = self.into_inner().into_response().into_parts();
        Response::build()
            .status(Status::new(head.status.as_u16()))
            .header(ContentType::JSON)
            .sized_body(body.len(), Cursor::new(body))
            .ok()
    }
}
