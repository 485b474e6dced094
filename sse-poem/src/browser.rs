//! The module for pages: see [`resumable_js`].

use poem::{Endpoint, Request, Response, endpoint::make_sync};

use crate::error::text;

pub use sse_core::browser::RESUMABLE_JS;

/// Answers a GET with [the module for pages](crate::docs::browser), or with 304 if the browser already has it.
///
/// ```
/// use poem::Route;
/// use sse_poem::{browser::resumable_js, get};
///
/// let app = Route::new().at("/resumable.js", get(resumable_js()));
/// # let _ = app;
/// ```
pub fn resumable_js() -> impl Endpoint<Output = Response> {
    make_sync(|request: Request| text(sse_core::browser::resumable_js(request.headers())))
}
