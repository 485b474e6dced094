//! A request of an unknown client: the header, the query, `Accept`, a cursor, topics. Any bytes have a defined answer.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sse_core::{Cursor, Event, EventId, EventStream, EventType, Hub, SseRequest, Pattern, Retention, Start, Topic, decode::Decoder};

#[derive(Debug, Arbitrary)]
struct Request<'a> {
    header: Option<&'a [u8]>,
    accept: Option<&'a [u8]>,
    query: Option<&'a str>,
    topic: &'a str,
    pattern: &'a str,
}

impl Request<'_> {
    /// The request as a server would accept it; `None` if HTTP has no form for it.
    fn sent(&self) -> Option<SseRequest> {
        let mut builder = http::Request::get(format!("/events?{}", self.query.unwrap_or_default()));
        for (name, value) in [("last-event-id", self.header), ("accept", self.accept)] {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        Some(SseRequest::from(&builder.body(()).ok()?))
    }
}

struct Served {
    runtime: tokio::runtime::Runtime,
    hub: Hub,
}

/// A hub with some events, of which the first were evicted.
static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let hub = runtime.block_on(async {
        let hub = Hub::builder().retention(Retention::default().events(5)).memory();
        for number in 0..20 {
            hub.publish("a", Event::message(number.to_string())).await.expect("published");
        }
        hub
    });
    Served { runtime, hub }
});

fuzz_target!(|request: Request<'_>| {
    let Served { runtime, hub } = &*SERVED;
    let Some(sent) = request.sent() else { return };
    let last = sent.last_event_id();
    let text = format!("{last:?}");
    assert!(text.len() < 2_000 && !text.contains(char::is_control), "a log would hold {text}");
    if let Some(text) = last.as_str()
        && let Ok(cursor) = text.parse::<Cursor>()
    {
        assert_eq!(cursor.to_string(), text, "a place has one spelling");
        assert!(text.len() <= 46);
        EventId::new(text).expect("a cursor is an id");
    }
    // The places that exist are asked for as often as any.
    let existing = request.header.and_then(<[u8]>::first).filter(|seq| **seq <= 21);
    let existing = existing.map(|seq| Cursor::new(hub.stats().head.epoch(), u64::from(*seq)));
    let refuses = sent.excludes_stream();
    let said_nothing = last.is_empty() && existing.is_none();
    runtime.block_on(async {
        let mut subscribe = hub.subscribe("a").request(&sent).start(Start::Earliest);
        if let Some(cursor) = existing {
            subscribe = subscribe.after(cursor);
        }
        let subscribed = subscribe.await;
        let Ok(subscription) = subscribed else {
            assert!(refuses, "a cursor is never an error");
            return;
        };
        let gap = subscription.gap().is_some();
        assert!(!(gap && said_nothing), "a gap for a reader that asked for nothing");
        let response = EventStream::new(subscription).into_response();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().contains_key("sse-gap"), gap);
        if let Some(header) = response.headers().get("sse-gap") {
            header.to_str().expect("visible ASCII");
        }
    });
    let (topic, pattern) = (Topic::new(request.topic), Pattern::new(request.pattern));
    if let Ok(topic) = &topic {
        assert_eq!(topic.as_str(), request.topic);
        assert!(topic.as_str().len() <= 256 && topic.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(Pattern::new(topic.as_str()).is_ok_and(|same| same.matches(topic)), "a topic matches itself");
        assert!(Pattern::new(">").is_ok_and(|all| all.matches(topic)));
        if let Ok(pattern) = &pattern {
            assert!(!pattern.is_exact() || pattern.matches(topic) == (request.topic == request.pattern));
        }
    }
    if let (Ok(id), Ok(event_type)) = (EventId::new(request.topic), EventType::new(request.pattern)) {
        let event = Event::message("x").id(id.as_str()).event(event_type.as_str());
        let frame = sse_core::Frame::try_from(event).expect("checked");
        let mut decoder = Decoder::new();
        let mut bytes = frame.as_ref();
        let message = decoder.messages(&mut bytes).next().expect("one").expect("valid");
        assert_eq!((message.last_event_id(), message.event_type()), (id.as_str(), event_type.as_str()));
    }
});
