//! The module for pages: see [`resumable_js`].

use axum_core::{body::Body, response::Response};
use http::HeaderMap;

pub use sse_core::browser::RESUMABLE_JS;

/// Answers a GET with [the module for pages](crate::docs::browser), or with 304 if the browser already has it.
///
/// ```
/// use axum::{Router, routing::get};
/// use sse_axum::browser::resumable_js;
///
/// let app: Router = Router::new().route("/resumable.js", get(resumable_js));
/// # let _ = app;
/// ```
pub async fn resumable_js(headers: HeaderMap) -> Response {
    sse_core::browser::resumable_js(&headers).map(Body::from)
}
