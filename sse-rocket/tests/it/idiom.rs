//! Features of Rocket alone: the macro, and a fairing that may find a hub that is already managed.

use rocket::{State, get, local::asynchronous::Client, routes};
use sse_rocket::{Event, EventStream, Hub};

#[get("/count")]
fn count() -> EventStream![] {
    EventStream! {
        for n in 0..3 {
            yield Event::message("tick").id(n);
        }
    }
}

#[get("/head")]
fn head(hub: &State<Hub>) -> String {
    hub.stats().head.seq().to_string()
}

#[rocket::async_test]
async fn the_macro_is_a_type_and_a_stream() {
    let client = Client::untracked(rocket::build().mount("/", routes![count])).await.unwrap();
    let body = client.get("/count").dispatch().await.into_string().await.unwrap();
    let (retry, events) = body.split_once('\n').unwrap();
    assert!(retry.starts_with("retry: "), "{retry}");
    assert_eq!(events, "data: tick\nid: 0\n\ndata: tick\nid: 1\n\ndata: tick\nid: 2\n\n");
}

#[rocket::async_test]
async fn the_fairing_manages_the_hub_once() {
    let hub = Hub::memory();
    hub.publish("a", Event::message("x")).await.unwrap();
    for rocket in [rocket::build(), rocket::build().manage(hub.clone())] {
        let rocket = rocket.attach(sse_rocket::fairing(hub.clone())).mount("/", routes![head]);
        let client = Client::untracked(rocket).await.unwrap();
        assert_eq!(client.get("/head").dispatch().await.into_string().await.as_deref(), Some("1"));
    }
}
