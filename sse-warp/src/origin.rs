//! Pages of other origins: which may read and publish, and the headers that allow it (CORS).

use warp::{Filter, Rejection, http::Request, reply::Response};

use crate::filters::request;

pub use sse_core::origin::*;

sse_core::__define_preflight!(
    r#"use sse_warp::{SseRequest, get, sse_request, origin::{InvalidOrigin, OriginPolicy, preflight}};
use warp::Filter;
# async fn events(_: SseRequest) -> &'static str { "" }

# fn main() -> Result<(), InvalidOrigin> {
let policy = OriginPolicy::builder().origin("https://app.example.com").build()?;
let events = warp::path!("events").and(get()).and(sse_request()).then(events);
let routes = events.or(warp::path!("events").and(preflight(policy).into_filter()));
# let _ = routes;
# Ok(()) }"#
);

impl Preflight {
    /// Returns the answers as a filter, to add after the route's handlers; it rejects the handlers' methods.
    #[must_use = "a filter does nothing until it is part of a route"]
    pub fn into_filter(self) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
        request().and_then(move |request: Request<()>| {
            let Self(preflight) = self.clone();
            async move {
                if preflight.is_of_handler(request.method()) {
                    return Err(warp::reject());
                }
                let answer = preflight.answer(request.method(), request.headers(), request.uri());
                Ok(answer.map(Into::into))
            }
        })
    }
}
