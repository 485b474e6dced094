//! HEAD, OPTIONS and TRACE: a subscription for one of them has no effects, and the head of a GET.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::common::requests;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method};
use sse_core::{
    Body, EndReason, Event, EventStream, Exclusive, Hub, Lease, Pattern, Shutdown, Snapshot, SseRequest,
    Subscription,
};

fn request(method: &Method, cursor: Option<&str>) -> SseRequest {
    let cursor = cursor.map(|cursor| ("last-event-id", cursor));
    // Not an `EventSource`, so that a refusal is a status.
    let headers: Vec<_> = cursor.into_iter().chain([("accept", "*/*")]).collect();
    requests::sent(method, "/events", &headers)
}

fn head(cursor: Option<&str>) -> SseRequest {
    request(&Method::HEAD, cursor)
}

/// The status and the headers of a response, which must have no body.
async fn answered(subscription: Subscription) -> (u16, HeaderMap) {
    let (head, body) = EventStream::new(subscription).into_response().into_parts();
    let body: Vec<_> = Body::collect(body).await;
    assert!(body.is_empty(), "{body:?}");
    (head.status.as_u16(), head.headers)
}

#[tokio::test]
async fn a_probe_takes_no_place() {
    let hub = Hub::builder().max_readers(2).memory();
    let taken = || hub.subscribe("a").exclusive("one", Exclusive::TakeOver).limit("ann", 1);
    let mut first = taken().await.unwrap();
    for method in [Method::HEAD, Method::OPTIONS, Method::TRACE] {
        let exclusive = hub.subscribe("a").exclusive("one", Exclusive::TakeOver);
        let mut probe = exclusive.request(request(&method, None)).await.unwrap();
        assert!(!probe.handle().is_open());
        assert!(hub.reader(&probe.handle().id()).is_none(), "{method}");
        assert_eq!(hub.readers("a").unwrap().len(), 1, "{method}");
        assert!(probe.next().await.is_none(), "{method}");
        let limited = hub.subscribe("b").limit("bob", 1).request(request(&method, None)).await.unwrap();
        assert!(limited.refusal().is_none(), "{method}");
        assert_eq!(answered(limited).await.0, 200, "{method}");
    }
    assert!(first.handle().is_open());
    let bob = hub.subscribe("b").limit("bob", 1).await.unwrap();
    assert!(bob.refusal().is_none(), "a probe was counted");
    hub.publish("a", Event::message("still here")).await.unwrap();
    assert!(first.next().await.unwrap().as_ref().starts_with(b"data: still here\n"));
}

#[tokio::test]
async fn a_probe_leaves_nothing_in_the_window() {
    let hub = Hub::memory();
    for topics in [&["a"][..], &["a", "b"], &["*"], &["a", ">"]] {
        let patterns: Vec<_> = topics.iter().map(|topic| Pattern::new(*topic).unwrap()).collect();
        let probe = hub.subscribe(patterns).request(head(None)).await.unwrap();
        assert!(hub.stats().readers.is_empty(), "{topics:?}");
        assert_eq!(hub.stats().topics, 0, "{topics:?}");
        drop(probe);
    }
    let receipt = hub.publish("a", Event::message("x")).await.unwrap();
    assert_eq!(receipt.receivers, Some(0));
}

#[tokio::test]
async fn a_probe_loads_no_state() {
    let hub = Hub::memory();
    let loads = Arc::new(AtomicUsize::new(0));
    for cursor in [None, Some("elsewhere")] {
        let count = Arc::clone(&loads);
        let load = move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, std::convert::Infallible>(Snapshot::default()) }
        };
        let probe = hub.subscribe("a").snapshot(load).request(head(cursor)).await.unwrap();
        assert_eq!(probe.gap().is_some(), cursor.is_some());
        assert_eq!(answered(probe).await.0, 200);
    }
    assert_eq!(loads.load(Ordering::Relaxed), 0);
    assert!(hub.stats().gaps.values().all(|count| *count == 0), "{:?}", hub.stats().gaps);
}

#[tokio::test]
async fn a_probe_is_answered_as_a_get_would_be() {
    let shutdown = Shutdown::within(std::time::Duration::from_secs(5));
    let hub = Hub::builder().shutdown(shutdown.clone()).memory();
    let finish = hub.finish("over").await.unwrap().cursor.to_string();
    assert_eq!(answered(hub.subscribe("over").request(head(Some(&finish))).await.unwrap()).await.0, 204);
    let (status, headers) =
        answered(hub.subscribe("a").request(head(Some("elsewhere"))).await.unwrap()).await;
    assert_eq!((status, headers.contains_key("sse-gap")), (200, true));
    let _taken = hub.subscribe("a").exclusive("one", Exclusive::Reject).limit("ann", 1).await.unwrap();
    let lease = Lease::new();
    lease.revoke();
    for (subscribe, end) in [
        (hub.subscribe("a").exclusive("one", Exclusive::Reject), EndReason::Occupied),
        (hub.subscribe("a").limit("ann", 1), EndReason::Limit),
        (hub.subscribe("a").lease(lease), EndReason::Expired),
    ] {
        let probe = subscribe.request(head(None)).await.unwrap();
        assert_eq!(probe.refusal().map(EndReason::as_str), Some(end.as_str()));
        let (status, headers) = answered(probe).await;
        assert_eq!((status, headers.contains_key("retry-after")), (503, true), "{end}");
    }
    shutdown.notify();
    assert_eq!(answered(hub.subscribe("a").request(head(None)).await.unwrap()).await.0, 503);
}

#[tokio::test]
async fn the_body_of_a_plain_stream_is_polled_only_for_its_bytes() {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let events = stream::poll_fn(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        std::task::Poll::<Option<Event>>::Pending
    });
    let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let response = EventStream::new(events).on_end(move |end| drop(told.send(end))).into_response();
    // As frameworks do for a HEAD.
    drop(response.into_body());
    assert_eq!(polls.load(Ordering::Relaxed), 0);
    // The handler ran, and may have state to undo.
    assert!(matches!(ended.recv().await.unwrap().end, EndReason::Left));
}

#[test]
fn the_method_makes_a_probe() {
    assert!(head(None).is_probe());
    assert!(!request(&Method::GET, None).is_probe() && !request(&Method::POST, None).is_probe());
}
