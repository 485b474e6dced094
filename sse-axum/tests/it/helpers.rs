//! The assertions of the feature `test` on Axum.
#![cfg(feature = "test")]

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    routing::{get, post},
};
use axum_core::body::Body;
use futures_util::stream;
use sse_axum::{
    Event, Hub, Lease, Sse, SseRequest,
    test::{read, request_stream},
};
fn app(hub: Hub) -> Router {
    Router::new().route("/prices", get(prices)).route("/echo", post(echo)).with_state(hub)
}

async fn prices(State(hub): State<Hub>, request: SseRequest) -> sse_axum::Result {
    let lease = Lease::within(Duration::from_secs(60));
    Ok(Sse::new(hub.subscribe("prices").request(request).lease(lease).await?))
}

async fn echo(text: String) -> Sse {
    let words: Vec<_> = text.split(' ').map(Event::message).collect();
    Sse::new(stream::iter(words))
}

sse_testkit::assertions!(sse_axum, async |hub| app(hub));

#[tokio::test]
async fn other_requests_are_made_in_the_frameworks_own_way() {
    let hub = Hub::memory();
    let app = app(hub.clone());
    let request = Request::get("/prices").header("last-event-id", "elsewhere").body(Body::empty()).unwrap();
    let mut gap = request_stream(&app, request).await;
    gap.next_event().await.assert_type_eq("sse.gap").assert_data_contains(r#""reason":"malformed""#);

    let mut own = read(prices(State(hub.clone()), SseRequest::default()).await);
    hub.publish("prices", Event::message("1.10")).await.unwrap();
    own.next_event().await.assert_data_eq("1.10");
}
