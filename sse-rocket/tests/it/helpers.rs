//! The assertions of the feature `test` on Rocket.
#![cfg(feature = "test")]

use std::time::Duration;

use futures_util::stream;
use rocket::{Build, Rocket, State, get, http::Header, local::asynchronous::Client, post, routes};
use sse_rocket::{
    Event, Hub, Lease, Sse, SseRequest,
    test::{read, request_stream},
};
fn app(hub: Hub) -> Rocket<Build> {
    rocket::build().manage(hub).mount("/", routes![prices, echo])
}

#[get("/prices")]
async fn prices(hub: &State<Hub>, request: SseRequest) -> sse_rocket::Result {
    let lease = Lease::within(Duration::from_secs(60));
    Ok(Sse::new(hub.subscribe("prices").request(request).lease(lease).await?))
}

#[post("/echo", data = "<text>")]
fn echo(text: String) -> Sse {
    let words: Vec<_> = text.split(' ').map(Event::message).collect();
    Sse::new(stream::iter(words))
}

sse_testkit::assertions!(sse_rocket, async |hub| Client::untracked(app(hub)).await.unwrap());

#[tokio::test]
async fn other_requests_are_made_in_the_frameworks_own_way() {
    let hub = Hub::memory();
    let app = Client::untracked(app(hub.clone())).await.unwrap();
    let request = app.get("/prices").header(Header::new("last-event-id", "elsewhere"));
    let mut gap = request_stream(request).await;
    gap.next_event().await.assert_type_eq("sse.gap").assert_data_contains(r#""reason":"malformed""#);

    let mut own = read(app.get("/prices").dispatch().await);
    hub.publish("prices", Event::message("1.10")).await.unwrap();
    own.next_event().await.assert_data_eq("1.10");
}
