//! Ready-made routes over a hub, and who may use them: see [`mount()`].

use poem::{Endpoint, IntoResponse, Request, Response};
use sse_core::__private::{MountResponse, collect};

use crate::{Sse, error::text};

pub use sse_core::mount::*;

sse_core::__define_mount!(
    r#"use sse_poem::{Hub, Pattern, Topic, mount, mount::{AccessDenied, AccessRequest, Permit}};
use poem::{Request, Route};

fn access(request: &Request, _: &AccessRequest) -> Result<Permit, AccessDenied> {
    let tenant = request.header("x-tenant").ok_or(AccessDenied::Unauthorized)?;
    let own = Topic::from_parts(["tenant", tenant])?;
    Ok(Permit::read(Pattern::below(&own)?)?)
}

let hub = Hub::memory();
let app = Route::new().at("/events", mount(hub, access));
# let _ = app;"#,
    Access<Request>
);

impl<A: Access<Request>> Endpoint for Mount<A> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let body = request.take_body();
        let asked = match self.routes.ask(request.method(), request.headers(), request.uri()) {
            Ok(asked) => asked,
            Err(answer) => return Ok(respond(answer)),
        };
        let decide = async { self.access.permit(&request, &asked.ask).await };
        let body = collect(body.into_bytes_stream(), self.routes.max_body());
        Ok(respond(self.routes.answer(&asked, decide, body).await))
    }
}

fn respond(answer: MountResponse) -> Response {
    match answer {
        MountResponse::Stream(stream) => Sse::from(*stream).into_response(),
        MountResponse::Text(response) => text(*response),
    }
}
