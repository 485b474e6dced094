//! Pages of other origins: which may read and publish, and the headers that allow it (CORS).

use rocket::{
    Data, Request, Route,
    http::Method,
    route::{Handler, Outcome},
};

use crate::{
    error::text,
    mount::METHODS,
    request::{headers, method, uri},
};

pub use sse_core::origin::*;

sse_core::__define_preflight!(
    r#"use sse_rocket::{SseRequest, origin::{InvalidOrigin, OriginPolicy, preflight}};
use rocket::{get, routes};

#[get("/events")]
async fn events(request: SseRequest) {
    # let _ = request;
}

# fn main() -> Result<(), InvalidOrigin> {
let policy = OriginPolicy::builder().origin("https://app.example.com").build()?;
let rocket = rocket::build().mount("/", routes![events]).mount("/events", preflight(policy));
# let _ = rocket;
# Ok(()) }"#
);

/// The rank after every route of the application.
const RANK: isize = isize::MAX;

impl From<Preflight> for Vec<Route> {
    fn from(preflight: Preflight) -> Self {
        let of_others = |method: &Method| {
            http::Method::from_bytes(method.as_str().as_bytes())
                .is_ok_and(|method| !preflight.0.is_of_handler(&method))
        };
        let others = METHODS.into_iter().filter(of_others);
        others.map(|method| Route::ranked(RANK, method, "/", preflight.clone())).collect()
    }
}

#[rocket::async_trait]
impl Handler for Preflight {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let answer = self.0.answer(&method(request), &headers(request), &uri(request));
        text(answer).map_or_else(Outcome::Error, Outcome::Success)
    }
}
