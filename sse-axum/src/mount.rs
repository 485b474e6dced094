//! Ready-made routes over a hub, and who may use them: see [`mount()`].

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum_core::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::request::Parts;
use sse_core::__private::{MountResponse, collect};
use tower_service::Service;

use crate::Sse;

pub use sse_core::mount::*;

sse_core::__define_mount!(
    r#"use sse_axum::{Hub, Pattern, Topic, mount, mount::{AccessDenied, AccessRequest, Permit}};
use axum::{Router, http::request::Parts};

fn access(request: &Parts, _: &AccessRequest) -> Result<Permit, AccessDenied> {
    let tenant = request.headers.get("x-tenant").and_then(|name| name.to_str().ok()).ok_or(AccessDenied::Unauthorized)?;
    let own = Topic::from_parts(["tenant", tenant])?;
    Ok(Permit::read(Pattern::below(&own)?)?)
}

let hub = Hub::memory();
let app: Router = Router::new().route_service("/events", mount(hub, access));
# let _ = app;"#,
    Access<Parts>
);

impl<A: Access<Parts>> Service<Request> for Mount<A> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let mount = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let asked = match mount.routes.ask(&parts.method, &parts.headers, &parts.uri) {
                Ok(asked) => asked,
                Err(answer) => return Ok(respond(answer)),
            };
            let decide = async { mount.access.permit(&parts, &asked.ask).await };
            let body = collect(body.into_data_stream(), mount.routes.max_body());
            Ok(respond(mount.routes.answer(&asked, decide, body).await))
        })
    }
}

fn respond(answer: MountResponse) -> Response {
    match answer {
        MountResponse::Stream(stream) => Sse::from(*stream).into_response(),
        MountResponse::Text(response) => (*response).map(Body::from),
    }
}
