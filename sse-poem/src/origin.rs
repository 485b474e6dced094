//! Pages of other origins: which may read and publish, and the headers that allow it (CORS).

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response, error::MethodNotAllowedError, http::Method,
};

use crate::error::text;

pub use sse_core::origin::*;

sse_core::__define_preflight!(
    r#"use sse_poem::{SseRequest, get, origin::{InvalidOrigin, OriginPolicy, preflight}};
use poem::{EndpointExt, Route, handler};
# #[handler] async fn events(_: SseRequest) {}

# fn main() -> Result<(), InvalidOrigin> {
let policy = OriginPolicy::builder().origin("https://app.example.com").build()?;
let app = Route::new().at("/events", get(events).with(preflight(policy)));
# let _ = app;
# Ok(()) }"#
);

impl<E: Endpoint> Middleware<E> for Preflight {
    type Output = Preflighted<E>;

    fn transform(&self, endpoint: E) -> Preflighted<E> {
        Preflighted { endpoint, preflight: self.clone() }
    }
}

/// A route with a [`Preflight`] that answers its other methods.
#[derive(Debug)]
pub struct Preflighted<E> {
    endpoint: E,
    preflight: Preflight,
}

impl<E: Endpoint> Endpoint for Preflighted<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let Preflight(preflight) = &self.preflight;
        if request.method() == Method::OPTIONS {
            return Ok(text(preflight.answer(request.method(), request.headers(), request.uri())));
        }
        match self.endpoint.call(request).await {
            Ok(response) => Ok(response.into_response()),
            Err(error) if error.is::<MethodNotAllowedError>() => Ok(text(preflight.not_allowed())),
            Err(error) => Err(error),
        }
    }
}
