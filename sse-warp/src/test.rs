//! Assertions for tests of event streams: feature `test`. See [`docs::testing`](crate::docs::testing).
//!
//! ```
//! use sse_warp::{Event, Hub, Sse, SseRequest, sse_request, test::get_stream};
//! use warp::Filter;
//!
//! async fn prices(hub: Hub, request: SseRequest) -> sse_warp::Result {
//!     Ok(Sse::new(hub.subscribe("prices").request(request).await?))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::memory();
//! let with_hub = { let hub = hub.clone(); warp::any().map(move || hub.clone()) };
//! let app = warp::service(warp::path!("prices").and(with_hub).and(sse_request()).then(prices));
//!
//! let mut stream = get_stream(&app, "/prices").await;
//! hub.publish("prices", Event::message("1.08").event("price")).await?;
//! stream.next_event().await.assert_type_eq("price").assert_data_eq("1.08");
//! # Ok(()) }
//! ```

use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Future, poll_fn},
    panic::Location,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sse_core::__private::Stream;
use tower_service::Service;
use warp::{
    http::{Method, Request},
    reply::Reply,
};

pub use sse_core::test::*;

/// Reads a reply of a handler, or the one that `warp::test::request().filter(&routes)` returns for routes whose type
/// is `impl Filter<Extract = (impl Reply,), ..>`.
///
/// Routes that are `impl Filter<Extract = impl Reply, ..>` go into `warp::service(routes)` and are asked by
/// [`get_stream`] and its like: Warp's own `filter` takes tuples only, and its `reply` waits for the end of the body.
pub fn read(reply: impl Reply) -> TestStream<'static> {
    TestStream::new(reply.into_response().map(|body| Data(Box::pin(body))))
}

/// Asserts that the application, made by `warp::service(routes)`, answers GET with an event stream.
#[track_caller]
pub fn get_stream<S>(app: &S, uri: &str) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request<RequestBody>, Response: Reply, Error: Debug> + Clone,
{
    established(app, request(Method::GET, uri, Bytes::new()), format!("get_stream {uri}"))
}

/// Asserts that the application answers POST with an event stream.
#[track_caller]
pub fn post_stream<S>(app: &S, uri: &str, body: impl Into<Bytes>) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request<RequestBody>, Response: Reply, Error: Debug> + Clone,
{
    established(app, request(Method::POST, uri, body.into()), format!("post_stream {uri}"))
}

/// Asserts that the application answers this request with an event stream; the request's body is text or bytes.
#[track_caller]
pub fn request_stream<S>(
    app: &S,
    request: Request<impl Into<Bytes>>,
) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request<RequestBody>, Response: Reply, Error: Debug> + Clone,
{
    let assertion = format!("request_stream {} {}", request.method(), request.uri());
    established(app, request.map(|body| RequestBody(body.into())), assertion)
}

#[track_caller]
fn request(method: Method, uri: &str, body: Bytes) -> Request<RequestBody> {
    let mut request = Request::new(RequestBody(body));
    *request.method_mut() = method;
    *request.uri_mut() = parse_uri(uri);
    request
}

#[track_caller]
#[allow(clippy::panic, reason = "a failed assertion panics")]
fn established<S>(
    app: &S,
    request: Request<RequestBody>,
    assertion: String,
) -> impl Future<Output = TestStream<'static>>
where
    S: Service<Request<RequestBody>, Response: Reply, Error: Debug> + Clone,
{
    let at = Location::caller();
    let mut app = app.clone();
    async move {
        let answered = match poll_fn(|cx| app.poll_ready(cx)).await {
            Ok(()) => app.call(request).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(reply) => read(reply).established(assertion, at).await,
            Err(error) => panic!("{assertion} at {at}: the service failed: {error:?}"),
        }
    }
}

/// The body of a request that an assertion sends, as `warp::service` takes it.
#[derive(Debug)]
pub struct RequestBody(Bytes);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// A body's bytes, without its trailers.
struct Data<B>(Pin<Box<B>>);

impl<B: Body> Stream for Data<B> {
    type Item = Result<B::Data, B::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::task::ready!(self.0.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}
