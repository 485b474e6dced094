//! The module for pages: see [`resumable_js`].

use warp::{Filter, Rejection, reply::Response};

pub use sse_core::browser::RESUMABLE_JS;

/// Answers a GET with [the module for pages](crate::docs::browser), or with 304 if the browser already has it.
///
/// ```
/// use sse_warp::browser::resumable_js;
/// use warp::Filter;
///
/// let route = warp::path!("resumable.js").and(resumable_js());
/// # let _ = route;
/// ```
#[must_use = "a filter does nothing until it is part of a route"]
pub fn resumable_js() -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let headers = crate::get().and(warp::header::headers_cloned());
    headers.map(|headers| sse_core::browser::resumable_js(&headers).map(Into::into))
}
