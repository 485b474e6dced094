//! The assertions of the feature `test` on Warp.
#![cfg(feature = "test")]

use std::time::Duration;

use futures_util::stream;
use sse_warp::{
    Event, Hub, Lease, Sse, SseRequest, sse_request,
    test::{read, request_stream},
};
use warp::{Filter, Rejection, Reply, http::Request};

fn app(hub: Hub) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    let with_hub = warp::any().map(move || hub.clone());
    let prices = warp::path!("prices").and(warp::get()).and(with_hub).and(sse_request()).then(prices);
    let echo = warp::path!("echo").and(warp::post()).and(warp::body::bytes()).map(echo);
    prices.or(echo)
}

fn bare_routes() -> impl Filter<Extract = impl Reply, Error = Rejection> + Clone {
    warp::path!("echo").and(warp::post()).and(warp::body::bytes()).map(echo)
}

async fn prices(hub: Hub, request: SseRequest) -> sse_warp::Result {
    let lease = Lease::within(Duration::from_secs(60));
    Ok(Sse::new(hub.subscribe("prices").request(request).lease(lease).await?))
}

fn echo(text: impl AsRef<[u8]>) -> Sse {
    let words: Vec<_> = String::from_utf8_lossy(text.as_ref()).split(' ').map(Event::message).collect();
    Sse::new(stream::iter(words))
}

sse_testkit::assertions!(sse_warp, async |hub| warp::service(app(hub)));

#[tokio::test]
async fn other_requests_are_made_in_the_frameworks_own_way() {
    let hub = Hub::memory();
    let app = warp::service(app(hub.clone()));
    let request = Request::get("/prices").header("last-event-id", "elsewhere").body(String::new()).unwrap();
    let mut gap = request_stream(&app, request).await;
    gap.next_event().await.assert_type_eq("sse.gap").assert_data_contains(r#""reason":"malformed""#);

    // A body need not be text, and routes may be written as Warp's examples write them.
    let echo = warp::service(bare_routes());
    let request = Request::post("/echo").body(vec![b'a', b' ', 0xff]).unwrap();
    let mut words = request_stream(&echo, request).await;
    words.next_event().await.assert_data_eq("a");
    words.next_event().await.assert_data_eq("\u{fffd}");

    let routes = self::app(hub.clone());
    let mut own = read(warp::test::request().path("/prices").filter(&routes).await.unwrap());
    hub.publish("prices", Event::message("1.10")).await.unwrap();
    own.next_event().await.assert_data_eq("1.10");
}
