//! A feature of Warp alone: filters.

use sse_warp::{Event, LastEventId, last_event_id, reply};
use warp::{Filter, Reply};

#[tokio::test]
async fn the_filter_never_rejects() {
    let read = warp::any().and(last_event_id()).map(|last: LastEventId| last.as_str().map(str::to_owned));
    let request = |path: &str| warp::test::request().path(path);
    assert_eq!(request("/").filter(&read).await.unwrap(), None);
    assert_eq!(request("/?last_event_id=q").filter(&read).await.unwrap().as_deref(), Some("q"));
    assert_eq!(
        request("/?x=1").header("last-event-id", "h").filter(&read).await.unwrap().as_deref(),
        Some("h")
    );
    assert_eq!(request("/").header("last-event-id", &b"\xff"[..]).filter(&read).await.unwrap(), None);
}

#[tokio::test]
async fn reply_makes_a_response_of_a_stream() {
    let response = reply(futures_util::stream::iter([Event::message("x")])).into_response();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
}
