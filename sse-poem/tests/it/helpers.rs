//! The assertions of the feature `test` on Poem.
#![cfg(feature = "test")]

use std::time::Duration;

use futures_util::stream;
use poem::{Endpoint, EndpointExt, Request, Route, get, handler, post, web::Data};
use sse_poem::{
    Event, Hub, Lease, Sse, SseRequest,
    test::{read, request_stream},
};
fn app(hub: Hub) -> impl Endpoint {
    Route::new().at("/prices", get(prices)).at("/echo", post(echo)).data(hub)
}

#[handler]
async fn prices(hub: Data<&Hub>, request: SseRequest) -> sse_poem::Result {
    let lease = Lease::within(Duration::from_secs(60));
    Ok(Sse::new(hub.subscribe("prices").request(request).lease(lease).await?))
}

#[handler]
fn echo(text: String) -> Sse {
    let words: Vec<_> = text.split(' ').map(Event::message).collect();
    Sse::new(stream::iter(words))
}

sse_testkit::assertions!(sse_poem, async |hub| app(hub));

#[tokio::test]
async fn other_requests_are_made_in_the_frameworks_own_way() {
    let hub = Hub::memory();
    let app = app(hub.clone());
    let request = Request::builder().uri_str("/prices").header("last-event-id", "elsewhere").finish();
    let mut gap = request_stream(&app, request).await;
    gap.next_event().await.assert_type_eq("sse.gap").assert_data_contains(r#""reason":"malformed""#);

    let request = Request::builder().uri_str("/prices").finish();
    let mut own = read(app.get_response(request).await);
    hub.publish("prices", Event::message("1.10")).await.unwrap();
    own.next_event().await.assert_data_eq("1.10");
}
