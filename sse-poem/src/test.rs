//! Assertions for tests of event streams: feature `test`. See [`docs::testing`](crate::docs::testing).
//!
//! ```
//! use poem::{EndpointExt, Route, get, handler, web::Data};
//! use sse_poem::{Event, Hub, Sse, SseRequest, test::get_stream};
//!
//! #[handler]
//! async fn prices(hub: Data<&Hub>, request: SseRequest) -> sse_poem::Result {
//!     Ok(Sse::new(hub.subscribe("prices").request(request).await?))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::memory();
//! let app = Route::new().at("/prices", get(prices)).data(hub.clone());
//!
//! let mut stream = get_stream(&app, "/prices").await;
//! hub.publish("prices", Event::message("1.08").event("price")).await?;
//! stream.next_event().await.assert_type_eq("price").assert_data_eq("1.08");
//! # Ok(()) }
//! ```

use std::{future::Future, panic::Location};

use poem::{Body, Endpoint, IntoResponse, Request, http};
pub use sse_core::test::*;

/// Reads a response, such as the one in a `TestResponse` of Poem's own `TestClient`: `read(response.0)`.
pub fn read(response: impl IntoResponse) -> TestStream<'static> {
    let (head, body) = response.into_response().into_parts();
    let mut response = http::Response::new(body.into_bytes_stream());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    TestStream::new(response)
}

/// Asserts that the application answers GET with an event stream.
#[track_caller]
pub fn get_stream<E: Endpoint>(app: &E, uri: &str) -> impl Future<Output = TestStream<'static>> {
    let request = Request::builder().method(http::Method::GET).uri(parse_uri(uri)).finish();
    established(app, request, format!("get_stream {uri}"))
}

/// Asserts that the application answers POST with an event stream.
#[track_caller]
pub fn post_stream<E: Endpoint>(
    app: &E,
    uri: &str,
    body: impl Into<Body>,
) -> impl Future<Output = TestStream<'static>> {
    let request = Request::builder().method(http::Method::POST).uri(parse_uri(uri)).body(body);
    established(app, request, format!("post_stream {uri}"))
}

/// Asserts that the application answers this request with an event stream.
#[track_caller]
pub fn request_stream<E: Endpoint>(app: &E, request: Request) -> impl Future<Output = TestStream<'static>> {
    let assertion = format!("request_stream {} {}", request.method(), request.uri());
    established(app, request, assertion)
}

#[track_caller]
fn established<E: Endpoint>(
    app: &E,
    request: Request,
    assertion: String,
) -> impl Future<Output = TestStream<'static>> {
    let at = Location::caller();
    async move { read(app.get_response(request).await).established(assertion, at).await }
}
