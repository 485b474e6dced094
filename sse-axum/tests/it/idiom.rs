//! A feature of Axum alone: an optional extractor.

use axum_core::extract::OptionalFromRequestParts;
use http::Request;
use sse_axum::LastEventId;

async fn extract(request: http::request::Builder) -> Option<LastEventId> {
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    match <LastEventId as OptionalFromRequestParts<()>>::from_request_parts(&mut parts, &()).await {
        Ok(last) => last,
        Err(never) => match never {},
    }
}

#[tokio::test]
async fn an_optional_last_event_id_is_none_without_one() {
    assert!(extract(Request::get("/")).await.is_none());
    assert!(extract(Request::get("/").header("last-event-id", "")).await.is_none());
    let header = extract(Request::get("/?last_event_id=q").header("last-event-id", "h")).await.unwrap();
    assert_eq!(header.as_str(), Some("h"));
    let query = extract(Request::get("/?last_event_id=q")).await.unwrap();
    assert_eq!(query.as_str(), Some("q"));
    // A value that is not UTF-8 is not ignored: it becomes a gap.
    let odd = extract(Request::get("/").header("last-event-id", &b"\xff"[..])).await.unwrap();
    assert_eq!(odd.as_str(), None);
}
