//! The module for pages: see [`resumable_js`].

use rocket::{
    Data, Request, Route,
    http::Method,
    route::{Handler, Outcome},
};

use crate::{error::text, request::headers};

pub use sse_core::browser::RESUMABLE_JS;

/// Answers a GET with [the module for pages](crate::docs::browser), or with 304 if the browser already has it.
///
/// ```
/// use sse_rocket::browser::resumable_js;
///
/// let rocket = rocket::build().mount("/resumable.js", resumable_js());
/// # let _ = rocket;
/// ```
#[must_use]
pub fn resumable_js() -> Vec<Route> {
    vec![Route::new(Method::Get, "/", ResumableJs)]
}

#[derive(Debug, Clone)]
struct ResumableJs;

#[rocket::async_trait]
impl Handler for ResumableJs {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let response = sse_core::browser::resumable_js(&headers(request));
        text(response).map_or_else(Outcome::Error, Outcome::Success)
    }
}
