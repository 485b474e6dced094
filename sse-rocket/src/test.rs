//! Assertions for tests of event streams: feature `test`. See [`docs::testing`](crate::docs::testing).
//!
//! ```
//! use rocket::{State, get, local::asynchronous::Client, routes};
//! use sse_rocket::{Event, Hub, Sse, SseRequest, test::get_stream};
//!
//! #[get("/prices")]
//! async fn prices(hub: &State<Hub>, request: SseRequest) -> sse_rocket::Result {
//!     Ok(Sse::new(hub.subscribe("prices").request(request).await?))
//! }
//!
//! # rocket::async_test(async {
//! let hub = Hub::memory();
//! let app = rocket::build().manage(hub.clone()).mount("/", routes![prices]);
//! let client = Client::untracked(app).await?;
//!
//! let mut stream = get_stream(&client, "/prices").await;
//! hub.publish("prices", Event::message("1.08").event("price")).await?;
//! stream.next_event().await.assert_type_eq("price").assert_data_eq("1.08");
//! # drop(stream);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).expect("it passes");
//! ```

use std::{
    future::Future,
    io,
    panic::Location,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use rocket::{
    local::asynchronous::{Client, LocalRequest, LocalResponse},
    tokio::io::{AsyncRead, ReadBuf},
};
pub use sse_core::test::*;

/// The number of bytes read at once.
const CHUNK: usize = 8 << 10;

/// Reads the response of a local client; the stream borrows the client.
pub fn read(response: LocalResponse<'_>) -> TestStream<'_> {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::from_u16(response.status().code).unwrap_or_default();
    for header in response.headers().iter() {
        let name = HeaderName::try_from(header.name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(header.value.as_ref())) {
            head.headers_mut().append(name, value);
        }
    }
    TestStream::new(head.map(|()| Chunks { response }))
}

/// Asserts that the application answers GET with an event stream.
#[track_caller]
pub fn get_stream<'c>(client: &'c Client, uri: &str) -> impl Future<Output = TestStream<'c>> {
    established(client.get(checked(uri)), format!("get_stream {uri}"))
}

/// Asserts that the application answers POST with an event stream.
#[track_caller]
pub fn post_stream<'c>(
    client: &'c Client,
    uri: &str,
    body: impl AsRef<[u8]>,
) -> impl Future<Output = TestStream<'c>> {
    established(client.post(checked(uri)).body(body), format!("post_stream {uri}"))
}

/// Asserts that this request of a local client is answered with an event stream.
#[track_caller]
pub fn request_stream(request: LocalRequest<'_>) -> impl Future<Output = TestStream<'_>> {
    let assertion = format!("request_stream {} {}", request.method(), request.uri());
    established(request, assertion)
}

/// Checks a URI, because Rocket's own panic would contain less information.
#[track_caller]
fn checked(uri: &str) -> String {
    let _ = parse_uri(uri);
    uri.to_owned()
}

#[track_caller]
fn established(request: LocalRequest<'_>, assertion: String) -> impl Future<Output = TestStream<'_>> {
    let at = Location::caller();
    async move { read(request.dispatch().await).established(assertion, at).await }
}

/// The bytes of a local response.
struct Chunks<'c> {
    response: LocalResponse<'c>,
}

impl Stream for Chunks<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        std::task::ready!(Pin::new(&mut self.response).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        Poll::Ready((!read.is_empty()).then(|| Ok(Bytes::copy_from_slice(read))))
    }
}
