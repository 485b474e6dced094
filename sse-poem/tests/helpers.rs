//! The assertions of the feature `test` on Poem.
#![cfg(feature = "test")]

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, stream};
use poem::{Endpoint, EndpointExt, Request, Route, get, handler, post, web::Data};
use sse_poem::{
    Event, Hub, LastEventId, Lease, Sse,
    test::{get_sse_ok, post_sse_ok, read, request_sse_ok},
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn app(hub: Hub) -> impl Endpoint {
    Route::new().at("/prices", get(prices)).at("/echo", post(echo)).data(hub)
}

#[handler]
async fn prices(hub: Data<&Hub>, last: LastEventId) -> sse_poem::Result {
    let lease = Lease::within(60 * SECOND);
    Ok(Sse::new(hub.subscribe("prices").after(last).lease(lease).await?))
}

#[handler]
fn echo(text: String) -> Sse {
    let words: Vec<_> = text.split(' ').map(Event::message).collect();
    Sse::new(stream::iter(words))
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_read_as_a_page_reads_it() {
    let hub = Hub::memory();
    let app = app(hub.clone());
    let mut stream = get_sse_ok(&app, "/prices").await;
    stream.status_is(200).header_is("cache-control", "no-cache, no-transform");
    let receipt = hub.publish("prices", Event::message("1.08").event("price")).await.unwrap();
    stream.sse_ok().await.sse_type_is("price").sse_text_is("1.08").sse_id_is(receipt.cursor);
    assert!(stream.retry().is_some_and(|retry| retry >= 2 * SECOND));

    // The wire is cut; the reader comes back and gets what it missed.
    stream.sse_finish_ok();
    hub.publish("prices", Event::message("1.09")).await.unwrap();
    let mut stream = get_sse_ok(&app, &format!("/prices?last_event_id={}", stream.last_event_id())).await;
    stream.sse_ok().await.sse_type_is("message").sse_text_like(r"^1\.\d+$");

    hub.finish("prices").await.unwrap();
    stream.sse_ok().await.sse_type_is("sse.end").sse_finished_ok().await;
}

#[tokio::test(start_paused = true)]
async fn paused_time_passes_at_once() {
    let hub = Hub::memory();
    let app = app(hub.clone());
    let began_at = Instant::now();
    // The application's lease ends after a minute.
    let mut stream = get_sse_ok(&app, "/prices").await;
    for _ in 0..3 {
        stream.sse_keep_alive_ok().await;
    }
    assert!((40..=45).contains(&began_at.elapsed().as_secs()), "{:?}", began_at.elapsed());
    stream.sse_finished_ok().await;
    assert_eq!(began_at.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn other_requests_are_made_in_the_frameworks_own_way() {
    let hub = Hub::memory();
    let app = app(hub.clone());
    let mut words = post_sse_ok(&app, "/echo", "so it goes").await;
    for word in ["so", "it", "goes"] {
        words.sse_ok().await.sse_text_is(word);
    }
    words.sse_finished_ok().await;

    let request = Request::builder().uri_str("/prices").header("last-event-id", "elsewhere").finish();
    let mut gap = request_sse_ok(&app, request).await;
    gap.sse_ok().await.sse_type_is("sse.gap").sse_text_like(r#""reason":"malformed""#);

    let request = Request::builder().uri_str("/prices").finish();
    let mut own = read(app.get_response(request).await);
    hub.publish("prices", Event::message("1.10")).await.unwrap();
    own.sse_ok().await.sse_text_is("1.10");
}

#[tokio::test]
async fn an_answer_that_is_no_event_stream_fails_and_is_shown() {
    let hub = Hub::memory();
    let app = app(hub.clone());
    let missing = AssertUnwindSafe(get_sse_ok(&app, "/missing")).catch_unwind().await.expect_err("404");
    let said = missing.downcast::<String>().unwrap();
    assert!(said.starts_with("get_sse_ok /missing at sse-"), "{said}");
    assert!(said.contains("tests/helpers.rs:") && said.contains("the response: 404 Not Found"), "{said}");
}
