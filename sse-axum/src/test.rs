//! Assertions for tests of event streams: feature `test`. See [`docs::testing`](crate::docs::testing).
//!
//! ```
//! use axum::{Router, extract::State, routing::get};
//! use sse_axum::{Event, Hub, Sse, SseRequest, test::get_stream};
//!
//! async fn prices(State(hub): State<Hub>, request: SseRequest) -> sse_axum::Result {
//!     Ok(Sse::new(hub.subscribe("prices").request(request).await?))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::memory();
//! let app = Router::new().route("/prices", get(prices)).with_state(hub.clone());
//!
//! let mut stream = get_stream(&app, "/prices").await;
//! hub.publish("prices", Event::message("1.08").event("price")).await?;
//! stream.next_event().await.assert_type_eq("price").assert_data_eq("1.08");
//! # Ok(()) }
//! ```

use std::{
    fmt::Debug,
    future::{Future, poll_fn},
    panic::Location,
};

use axum_core::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::Method;
use tower_service::Service;

pub use sse_core::test::*;

/// Reads a response of a handler, a router or any service.
pub fn read(response: impl IntoResponse) -> TestStream<'static> {
    TestStream::new(response.into_response().map(Body::into_data_stream))
}

/// Asserts that the application answers GET with an event stream.
#[track_caller]
pub fn get_stream<S>(app: &S, uri: &str) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request, Response = Response, Error: Debug> + Clone,
{
    established(app, request(Method::GET, uri, Body::empty()), format!("get_stream {uri}"))
}

/// Asserts that the application answers POST with an event stream.
#[track_caller]
pub fn post_stream<S>(app: &S, uri: &str, body: impl Into<Body>) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request, Response = Response, Error: Debug> + Clone,
{
    established(app, request(Method::POST, uri, body.into()), format!("post_stream {uri}"))
}

/// Asserts that the application answers this request with an event stream.
#[track_caller]
pub fn request_stream<S>(app: &S, request: Request) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request, Response = Response, Error: Debug> + Clone,
{
    let assertion = format!("request_stream {} {}", request.method(), request.uri());
    established(app, request, assertion)
}

#[track_caller]
fn request(method: Method, uri: &str, body: Body) -> Request {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = parse_uri(uri);
    request
}

#[track_caller]
#[allow(clippy::panic, reason = "a failed assertion panics")]
fn established<S>(app: &S, request: Request, assertion: String) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request, Response = Response, Error: Debug> + Clone,
{
    let at = Location::caller();
    let mut app = app.clone();
    async move {
        let answered = match poll_fn(|cx| app.poll_ready(cx)).await {
            Ok(()) => app.call(request).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(response) => read(response).established(assertion, at).await,
            Err(error) => panic!("{assertion} at {at}: the service failed: {error:?}"),
        }
    }
}
