//! Answers to clients that cannot read event streams, and to refused clients.
#![cfg(feature = "fallbacks")]

use std::time::Duration;

use crate::common::requests;
use futures_util::StreamExt;
use http::Response;
use serde_json::{Value, json};
use sse_core::{
    Body, EndReason, Error, Event, EventStream, Exclusive, Hub, KeepAlive, Lease, Retention, Shutdown,
    SseRequest, Start, error::SubscribeError,
};
use tokio::{sync::mpsc, time::Instant};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const STREAM: &str = "text/event-stream";

/// A request with this `Accept` that resumes after `cursor`.
fn asking(accept: &str, cursor: Option<&str>) -> SseRequest {
    let cursor = cursor.map(|cursor| ("last-event-id", cursor));
    let headers: Vec<_> = cursor.into_iter().chain([("accept", accept)]).collect();
    requests::get("/", &headers)
}

async fn whole(response: Response<Body>) -> String {
    let body: Vec<_> = response.into_body().collect().await;
    let bytes = body.into_iter().flat_map(|bytes| bytes.unwrap_or_else(|never| match never {})).collect();
    String::from_utf8(bytes).expect("UTF-8")
}

/// One poll, and how long it took.
async fn poll(hub: &Hub, cursor: Option<&str>) -> (Value, Duration) {
    let subscription =
        hub.subscribe("a").request(asking(JSON, cursor)).fallbacks().await.expect("subscribed");
    let began = Instant::now();
    let response = EventStream::new(subscription).into_response();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], JSON);
    let text = whole(response).await;
    (serde_json::from_str(&text).expect("JSON"), began.elapsed())
}

fn cursor_of(page: &Value) -> &str {
    page["cursor"].as_str().expect("a cursor")
}

fn data_of(page: &Value) -> Vec<&str> {
    page["events"].as_array().expect("events").iter().map(|event| event["data"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_first_poll_has_a_cursor_and_the_next_waits() {
    let hub = Hub::memory();
    hub.publish("a", Event::message("before")).await.unwrap();
    let (first, took) = poll(&hub, None).await;
    assert_eq!(first, json!({ "events": [], "cursor": hub.stats().head.to_string() }));
    assert_eq!(took, Duration::ZERO);

    let (waited, took) = poll(&hub, Some(cursor_of(&first))).await;
    assert_eq!(waited, first, "nothing came, and the cursor stays");
    assert!(took > Duration::from_secs(13) && took <= Duration::from_secs(15), "{took:?}");

    let publish = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        hub.publish("a", Event::message("one\ntwo \"é\"").event("note")).await.unwrap()
    };
    let (receipt, (page, took)) = tokio::join!(publish, poll(&hub, Some(cursor_of(&first))));
    let id = receipt.cursor.to_string();
    let event = json!({ "type": "note", "data": "one\ntwo \"é\"", "lastEventId": id });
    assert_eq!(page, json!({ "events": [event], "cursor": id }));
    assert_eq!(took, Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn polls_get_every_event_once_in_order_whatever_the_size() {
    let hub = Hub::memory();
    let (mut page, _) = poll(&hub, None).await;
    let large = "x".repeat(10_000);
    for n in 0..100 {
        hub.publish("a", Event::message(format!("{n} {large}"))).await.unwrap();
    }
    let mut got = Vec::new();
    let mut pages = 0;
    while got.len() < 100 {
        let cursor = cursor_of(&page).to_owned();
        let (next, took) = poll(&hub, Some(&cursor)).await;
        assert_eq!(took, Duration::ZERO, "there is something to say");
        got.extend(data_of(&next).iter().map(|data| data.split(' ').next().unwrap().parse::<u32>().unwrap()));
        page = next;
        pages += 1;
    }
    assert_eq!(got, (0..100).collect::<Vec<_>>());
    assert!(pages > 3, "a page is bounded: {pages}");
}

#[tokio::test(start_paused = true)]
async fn another_topic_moves_the_cursor_of_a_poll() {
    let hub = Hub::memory();
    let (first, _) = poll(&hub, None).await;
    hub.publish("b", Event::message("not yours")).await.unwrap();
    let (second, _) = poll(&hub, Some(cursor_of(&first))).await;
    assert_eq!(second, json!({ "events": [], "cursor": hub.stats().head.to_string() }));
}

#[tokio::test(start_paused = true)]
async fn a_poll_is_filtered_like_a_stream() {
    let hub = Hub::memory();
    let (first, _) = poll(&hub, None).await;
    for data in ["mine 1", "theirs", "mine 2", "theirs"] {
        hub.publish("a", Event::message(data)).await.unwrap();
    }
    let subscribe = hub.subscribe("a").request(asking(JSON, Some(cursor_of(&first)))).fallbacks();
    let subscription = subscribe.filter(|event| event.data().starts_with("mine")).await.unwrap();
    let page: Value =
        serde_json::from_str(&whole(EventStream::new(subscription).into_response()).await).unwrap();
    assert_eq!(data_of(&page), ["mine 1", "mine 2"]);
    assert_eq!(cursor_of(&page), hub.stats().head.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_the_first_event_of_a_page() {
    let hub = Hub::builder().retention(Retention::default().events(2)).memory();
    let (first, _) = poll(&hub, None).await;
    for n in 0..5 {
        hub.publish("a", Event::message(n.to_string())).await.unwrap();
    }
    let (page, took) = poll(&hub, Some(cursor_of(&first))).await;
    assert_eq!(page["events"][0]["type"], "sse.gap");
    assert_eq!(data_of(&page)[1..], ["3", "4"]);
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_state_is_never_cut_by_a_page() {
    let hub = Hub::memory();
    let part = "x".repeat(60_000);
    let subscribe = hub.subscribe("a").request(asking(JSON, None)).fallbacks().snapshot(move |_| {
        let part = part.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, &str>((0..5).map(|_| Event::message(&part)).collect::<Vec<_>>())
        }
    });
    let text = whole(EventStream::new(subscribe.await.unwrap()).into_response()).await;
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(data_of(&page).len(), 5);
    assert_eq!(cursor_of(&page), hub.stats().head.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_finished_topic_ends_in_a_page_and_then_answers_204() {
    let hub = Hub::memory();
    let (first, _) = poll(&hub, None).await;
    hub.finish("a").await.unwrap();
    let (page, _) = poll(&hub, Some(cursor_of(&first))).await;
    assert_eq!(page["events"][0]["type"], "sse.end");
    assert_eq!(page.get("retry"), None);
    let again = hub.subscribe("a").request(asking(JSON, Some(cursor_of(&page)))).fallbacks().await.unwrap();
    let response = EventStream::new(again).into_response();
    assert_eq!(response.status(), 204);
    assert_eq!(whole(response).await, "");
}

#[tokio::test(start_paused = true)]
async fn an_ended_poll_has_a_retry_and_is_counted() {
    let hub = Hub::memory();
    let (first, _) = poll(&hub, None).await;
    let (tell, mut ended) = mpsc::unbounded_channel();
    let lease = Lease::within(Duration::from_secs(1));
    let subscribe =
        hub.subscribe("a").request(asking(JSON, Some(cursor_of(&first)))).fallbacks().lease(&lease);
    let stream = EventStream::new(subscribe.await.unwrap()).on_end(move |end| drop(tell.send(end)));
    let text = whole(stream.into_response()).await;
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((data_of(&page).len(), cursor_of(&page)), (0, cursor_of(&first)));
    assert!((2_000..=4_000).contains(&page["retry"].as_u64().unwrap()), "{page}");
    let ended = ended.recv().await.unwrap();
    assert!(matches!(ended.end, EndReason::Expired), "{}", ended.end);
    assert_eq!((ended.events, ended.bytes), (0, text.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn json_lines_say_what_the_stream_says() {
    let hub = Hub::memory();
    let (tell, mut ended) = mpsc::unbounded_channel();
    let subscription = hub.subscribe("a").request(asking(LINES, None)).fallbacks().await.unwrap();
    let stream = EventStream::new(subscription).on_end(move |end| drop(tell.send(end)));
    let response =
        stream.keep_alive(KeepAlive::every(Duration::from_secs(1)).comment("ignored")).into_response();
    assert_eq!(response.headers()["content-type"], LINES);
    let mut body = response.into_body();
    let first = body.next().await.unwrap().unwrap_or_else(|never| match never {});
    let first: Vec<Value> =
        first.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let mut line = async || {
        let bytes = body.next().await.unwrap().unwrap_or_else(|never| match never {});
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1, "{bytes:?}");
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let head = hub.stats().head.to_string();
    let place = json!({ "type": "sse.checkpoint", "data": "", "lastEventId": head });
    assert_eq!(first[1], place);
    let retry = &first[0];
    assert!((2_000..=4_000).contains(&retry["retry"].as_u64().unwrap()), "{retry}");
    assert_eq!(line().await, *retry, "a keep-alive repeats it");
    let id = hub.publish("a", Event::message("é\n\u{1f600}")).await.unwrap().cursor.to_string();
    assert_eq!(line().await, json!({ "type": "message", "data": "é\n\u{1f600}", "lastEventId": id }));
    hub.signal("a", Event::message("now").retry(Duration::from_secs(9))).unwrap();
    let bytes = body.next().await.unwrap().unwrap_or_else(|never| match never {});
    let said: Vec<Value> =
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert!(said.contains(&json!({ "retry": 9_000 })), "{said:?}");
    assert!(said.contains(&json!({ "type": "message", "data": "now", "lastEventId": id })), "{said:?}");
    drop(body);
    assert_eq!(ended.recv().await.unwrap().events, 3);
}

#[tokio::test]
async fn accept_weighs_the_forms() {
    let hub = Hub::memory();
    for (accept, form) in [
        // No header, or any form is accepted.
        ("", STREAM),
        (" , ,", STREAM),
        ("*/*", STREAM),
        ("*", STREAM),
        ("image/png, *", STREAM),
        ("text/*", STREAM),
        ("*/*;q=0.1", STREAM),
        // One form is named.
        ("text/event-stream", STREAM),
        ("Text/EVENT-Stream ; Q=0.3", STREAM),
        (JSON, JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/json;odata=verbose;q=0.5", JSON),
        (LINES, LINES),
        ("application/json, nonsense", JSON),
        ("text/html, application/json", JSON),
        // A named form, beside anything else: axios, Angular, fetch wrappers.
        ("application/json, text/plain, */*", JSON),
        ("*/*, text/plain, application/json", JSON),
        ("APPLICATION/JSON,*/*", JSON),
        ("application/json, text/*, */*", JSON),
        ("application/x-ndjson, */*", LINES),
        ("text/event-stream, */*", STREAM),
        ("*/*, text/event-stream", STREAM),
        ("application/*, */*", LINES),
        ("application/json, application/*", JSON),
        ("application/*", LINES),
        // Weights come first, whatever names them.
        ("application/json, */*;q=0.8", JSON),
        ("application/json;q=0.8, */*", STREAM),
        ("application/json;q=0.5, application/x-ndjson;q=0.6", LINES),
        ("text/event-stream;q=0.9, application/json;q=0.91", JSON),
        ("text/event-stream;q=0.29, application/json;q=0.289", STREAM),
        ("application/json;q=0.5, text/event-stream;q=0.5", STREAM),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", STREAM),
        // Named with equal weight: the best form, as MCP clients expect.
        ("application/json, text/event-stream", STREAM),
        ("application/json, application/x-ndjson", LINES),
        // A refused form is not sent, although `*/*` would allow it.
        ("text/event-stream;q=0, */*", LINES),
        ("text/*;q=0, */*", LINES),
        ("text/event-stream;q=0, application/x-ndjson;q=0, */*", JSON),
        ("*/*;q=0, application/json", JSON),
        // The same range twice, in both orders; a weight finer than a thousandth, and one that cannot be parsed.
        ("text/event-stream;q=0.1, text/event-stream, application/json;q=0.5", STREAM),
        ("text/event-stream, text/event-stream;q=0.1, application/json;q=0.5", STREAM),
        ("text/event-stream;q=0.0001", STREAM),
        ("text/event-stream;q=broken, */*", STREAM),
        ("application/json;q=\"0.5\", */*;q=0.9", JSON),
    ] {
        let subscription = hub.subscribe("a").request(asking(accept, None)).fallbacks().await.unwrap();
        let response = EventStream::new(subscription).into_response();
        assert_eq!(response.headers()["content-type"], form, "{accept}");
    }
}

#[tokio::test]
async fn without_the_opt_in_accept_decides_only_about_406() {
    let hub = Hub::memory();
    for accept in [JSON, LINES, "image/png", "text/html", "application/json, text/plain, */*"] {
        let subscription = hub.subscribe("a").request(asking(accept, None)).await.unwrap();
        let response = EventStream::new(subscription).into_response();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], STREAM, "{accept}");
        assert_eq!(response.headers()["vary"], "accept");
        assert_eq!(response.headers()["cache-control"], "no-cache, no-transform");
    }
    for accept in ["text/event-stream;q=0", "text/*;q=0, application/json", "*/*;q=0"] {
        let error = hub.subscribe("a").request(asking(accept, None)).await.unwrap_err();
        assert_eq!(error, SubscribeError::NotAcceptable, "{accept}");
        let response = Error::from(error).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["vary"]),
            (406, &"accept".parse().unwrap())
        );
    }
    let none = hub.subscribe("a").request(asking("image/png", None)).fallbacks().await.unwrap_err();
    assert_eq!(none, SubscribeError::NotAcceptable);
}

#[test]
fn an_event_source_is_known_by_what_it_says() {
    let is_event_source = |pairs: &[_]| requests::get("/", pairs).is_event_source();
    let stream = ("accept", "text/event-stream");
    // What Chromium, Firefox and WebKit send.
    assert!(is_event_source(&[stream, ("cache-control", "no-cache"), ("sec-fetch-mode", "cors")]));
    // Over plain HTTP they send no Sec-Fetch headers; libraries never do.
    assert!(is_event_source(&[stream, ("cache-control", "no-cache")]));
    assert!(is_event_source(&[stream]));
    assert!(is_event_source(&[("accept", "TEXT/Event-Stream")]));
    // There is nothing to decide by.
    assert!(is_event_source(&[]));
    // A page's own `fetch`.
    assert!(!is_event_source(&[stream, ("sec-fetch-mode", "cors")]));
    assert!(!is_event_source(&[stream, ("sec-fetch-mode", "cors"), ("cache-control", "max-age=0")]));
    for accept in ["*/*", "application/json", "text/event-stream, */*", "application/json, text/event-stream"]
    {
        assert!(!is_event_source(&[("accept", accept)]), "{accept}");
    }
}

#[tokio::test]
async fn g14_a_refusal_is_200_for_an_event_source_and_503_for_others() {
    let shutdown = Shutdown::within(Duration::from_secs(1));
    let hub = Hub::memory();
    let ending = Hub::builder().shutdown(shutdown.clone()).memory();
    shutdown.notify();
    let _first = hub.subscribe("a").limit("one", 1).exclusive("place", Exclusive::Reject).await.unwrap();
    let over = Lease::within(Duration::ZERO);
    let refused = |request: SseRequest| {
        [
            (hub.subscribe("a").request(&request).limit("one", 1), "as many readers"),
            (hub.subscribe("a").request(&request).exclusive("place", Exclusive::Reject), "another reader"),
            (hub.subscribe("a").request(&request).lease(&over), "permission has ended"),
            (ending.subscribe("a").request(request), "shuts down"),
        ]
    };
    for (subscribe, says) in refused(asking("text/event-stream", None)) {
        let response = EventStream::new(subscribe.await.unwrap()).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        let text = whole(response).await;
        // A position, but no published event.
        let id = text.split_once("event: sse.checkpoint\ndata: \nid: ").map(|(_, id)| id);
        let is_placed = id.is_some_and(|id| {
            id.split_once("\n\n").is_some_and(|(_, rest)| !rest.contains(": ") || rest.starts_with("retry: "))
        });
        assert!(text.starts_with("retry: "), "{text}");
        assert_eq!(is_placed, says != "permission has ended", "{text}");
    }
    for accept in ["*/*", JSON, LINES] {
        for (subscribe, says) in refused(asking(accept, None)) {
            let (tell, mut ended) = mpsc::unbounded_channel();
            let stream = EventStream::new(subscribe.start(Start::Earliest).await.unwrap());
            let stream = stream.retry(Duration::from_secs(20)).on_end(move |end| drop(tell.send(end)));
            let response = stream.into_response();
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["content-type"], JSON);
            assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
            assert_eq!(response.headers()["vary"], "accept");
            let after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((20..=40).contains(&after), "{after}");
            let error: Value = serde_json::from_str(&whole(response).await).unwrap();
            assert!(error["error"].as_str().unwrap().contains(says), "{error}");
            assert!(!matches!(ended.recv().await.unwrap().end, EndReason::Left));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g9_a_page_that_is_answered_after_its_lease_has_no_events() {
    let hub = Hub::memory();
    let began = hub.publish("a", Event::message("mark")).await.unwrap().cursor;
    let lease = Lease::within(Duration::from_secs(5));
    // The page already has an event, and waits for a state, when the lease ends.
    let load = |_| async {
        std::future::pending::<()>().await;
        Ok::<_, std::io::Error>(Event::message("state"))
    };
    let foreign = "00000000000000aa-9";
    let subscribe =
        hub.subscribe("a").request(asking(JSON, Some(foreign))).fallbacks().snapshot(load).lease(&lease);
    let response = EventStream::new(subscribe.await.unwrap()).into_response();
    let began_at = Instant::now();
    let page: Value = serde_json::from_str(&whole(response).await).expect("JSON");
    assert_eq!(began_at.elapsed(), Duration::from_secs(5));
    assert_eq!((&page["events"], &page["cursor"]), (&json!([]), &Value::Null), "after {began}: {page}");
    assert!(page["retry"].is_u64(), "{page}");
}
