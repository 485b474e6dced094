//! Pages of other origins: which may read and publish, and the headers that allow it (CORS).

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum_core::{body::Body, extract::Request, response::Response};
use tower_service::Service;

pub use sse_core::origin::*;

sse_core::__define_preflight!(
    r#"use sse_axum::{SseRequest, origin::{InvalidOrigin, OriginPolicy, preflight}};
use axum::{Router, routing::get};
# async fn events(_: SseRequest) {}

# fn main() -> Result<(), InvalidOrigin> {
let policy = OriginPolicy::builder().origin("https://app.example.com").build()?;
let app: Router = Router::new().route("/events", get(events).options_service(preflight(policy)));
# let _ = app;
# Ok(()) }"#
);

impl Service<Request> for Preflight {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let answer = self.0.answer(request.method(), request.headers(), request.uri());
        ready(Ok(answer.map(Body::from)))
    }
}
