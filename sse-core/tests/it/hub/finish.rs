//! Finishing topics, publishing, ending readers, on a hub in memory.

use std::{error::Error as _, time::Duration};

use crate::common::reader::{data, is_idle, message, next, publish};
use crate::common::requests;
use sse_core::{
    EndReason, Event, EventStream, Frame, Hub, LastEventId, Pattern, Retention, Shutdown, Start,
    error::{InvalidTopic, PublishError, SubscribeError},
};

#[tokio::test]
async fn readers_of_a_finished_topic_get_the_rest_then_the_end() {
    let hub = Hub::memory();
    publish(&hub, "job", 0..2).await;
    let mut reader = hub.subscribe("job").start(Start::Earliest).await.unwrap();
    let receipt = hub.finish("job").await.unwrap();
    assert_eq!(receipt.receivers, Some(1));
    assert_eq!(data(&mut reader, 2).await, ["0", "1"]);
    let end = next(&mut reader).await;
    assert_eq!((end.event_type(), end.data()), ("sse.end", r#"{"topic":"job"}"#));
    assert_eq!(end.last_event_id(), receipt.cursor.to_string());
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn only_a_cursor_at_the_end_of_every_topic_gets_204() {
    let hub = Hub::memory();
    let before = hub.publish("a", Event::message("0")).await.unwrap();
    let end_a = hub.finish("a").await.unwrap();
    let end_b = hub.finish("b").await.unwrap();
    let status = async |topics: &[&str], last: LastEventId| {
        let topics: Vec<_> = topics.iter().map(|text| Pattern::new(text).unwrap()).collect();
        EventStream::new(hub.subscribe(topics).after(last).await.unwrap()).into_response().status().as_u16()
    };
    assert_eq!(status(&["a"], end_a.cursor.into()).await, 204);
    assert_eq!(status(&["a", "b"], end_b.cursor.into()).await, 204);
    assert_eq!(status(&["a", "b"], end_a.cursor.into()).await, 200);
    assert_eq!(status(&["a"], before.cursor.into()).await, 200);
    assert_eq!(status(&["a"], LastEventId::default()).await, 200);
    assert_eq!(status(&["*"], end_b.cursor.into()).await, 200);
    assert_eq!(status(&["a", "open"], end_b.cursor.into()).await, 200);
    assert_eq!(status(&["a"], "nonsense".into()).await, 200);
}

#[tokio::test]
async fn a_new_reader_of_finished_topics_is_told_so_and_ends() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..1).await;
    hub.finish("a").await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    assert_eq!(next(&mut live).await.event_type(), "sse.end");
    assert!(live.next().await.is_none());
    let mut all = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    assert_eq!(next(&mut all).await.data(), "0");
    assert_eq!(next(&mut all).await.event_type(), "sse.end");
    assert!(all.next().await.is_none());
}

#[tokio::test]
async fn wildcards_and_unfinished_topics_go_on_after_an_end() {
    let hub = Hub::memory();
    let mut wild = hub.subscribe(Pattern::new("job.*").unwrap()).await.unwrap();
    let mut two = hub.subscribe(["job.1", "job.2"]).await.unwrap();
    hub.finish("job.1").await.unwrap();
    assert_eq!(next(&mut wild).await.event_type(), "sse.end");
    assert_eq!(next(&mut two).await.event_type(), "sse.end");
    publish(&hub, "job.2", 0..1).await;
    assert_eq!(next(&mut wild).await.data(), "0");
    assert_eq!(next(&mut two).await.data(), "0");
    hub.finish("job.2").await.unwrap();
    assert_eq!(next(&mut two).await.event_type(), "sse.end");
    assert!(two.next().await.is_none());
    assert_eq!(next(&mut wild).await.event_type(), "sse.end");
    assert!(is_idle(&mut wild).await);
}

#[tokio::test]
async fn a_later_publish_opens_the_topic_again() {
    let hub = Hub::memory();
    let end = hub.finish("a").await.unwrap();
    publish(&hub, "a", 0..1).await;
    let mut reader = hub.subscribe("a").after(end.cursor).await.unwrap();
    assert_eq!(next(&mut reader).await.data(), "0");
    assert!(is_idle(&mut reader).await);
}

#[tokio::test(start_paused = true)]
async fn a_finish_is_remembered_longer_than_its_events() {
    let hub = Hub::builder().retention(Retention::default().age(Duration::from_secs(60))).memory();
    publish(&hub, "a", 0..3).await;
    let end = hub.finish("a").await.unwrap();
    let keeps_the_hub_busy = hub.subscribe("other").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(hub.stats().window_bytes, 0);
    let stream = EventStream::new(hub.subscribe("a").after(end.cursor).await.unwrap());
    assert_eq!(stream.into_response().status(), 204);
    drop(keeps_the_hub_busy);
}

#[tokio::test]
async fn publish_refuses_what_a_hub_cannot_say() {
    let hub = Hub::memory();
    let refused = async |topic: &str, event: Event| hub.publish(topic, event).await.unwrap_err();
    assert!(matches!(refused("a", Event::message("x").id(1)).await, PublishError::OwnId));
    assert!(matches!(refused("a", Event::default().comment("x")).await, PublishError::NoData));
    assert!(matches!(refused("a", Event::message("x").event("sse.gap")).await, PublishError::Event(_)));
    assert!(matches!(refused("a", Event::message("x").event("a\nb")).await, PublishError::Event(_)));
    assert!(matches!(refused("a.*", Event::message("x")).await, PublishError::Topic(InvalidTopic::Wildcard)));
    assert!(matches!(refused("", Event::message("x")).await, PublishError::Topic(InvalidTopic::EmptyPart)));
    let none: [&str; 0] = [];
    assert!(matches!(
        hub.publish(none, Event::message("x")).await.unwrap_err(),
        PublishError::Topic(InvalidTopic::Missing)
    ));
    assert!(matches!(hub.publish("a", Event::message("x")).key("").await.unwrap_err(), PublishError::Key));
    let of_key = |len| hub.publish("a", Event::message("x")).key("k".repeat(len)).into_future();
    assert!(matches!(of_key(514).await.unwrap_err(), PublishError::Key));
    assert!(of_key(512).await.is_ok());
    assert!(matches!(
        hub.signal("a", Event::message("x").event("sse.x")).unwrap_err(),
        PublishError::Event(_)
    ));
    assert_eq!(hub.stats().published, 1);
}

#[tokio::test]
async fn subscribe_fails_for_the_callers_mistakes_only() {
    let hub = Hub::builder().max_topics(2).memory();
    let refused = async |topics: &[&str]| hub.subscribe(topics).await.unwrap_err();
    assert_eq!(refused(&[]).await, SubscribeError::Topic(InvalidTopic::Missing));
    assert_eq!(refused(&["a", "b", "c"]).await, SubscribeError::Topic(InvalidTopic::TooMany { limit: 2 }));
    assert_eq!(refused(&["a b"]).await, SubscribeError::Topic(InvalidTopic::NotVisibleAscii { at: 1 }));
    assert!(hub.subscribe(["a", "a", "b"]).await.is_ok());
    let picky = requests::get("/", &[("accept", "text/event-stream;q=0, */*")]);
    assert_eq!(hub.subscribe("a").request(picky).await.unwrap_err(), SubscribeError::NotAcceptable);
}

#[tokio::test]
async fn the_same_key_publishes_once_for_the_same_topics() {
    let hub = Hub::memory();
    let first = hub.publish(["a", "b"], Event::message("1")).key("order-42").await.unwrap();
    let again = hub.publish(["b", "a"], Event::message("1")).key("order-42").await.unwrap();
    let other = hub.publish("a", Event::message("1")).key("order-42").await.unwrap();
    assert!(!first.duplicate && again.duplicate && !other.duplicate);
    assert_eq!(first.cursor, again.cursor);
    assert_eq!(other.cursor.seq(), 2);
}

#[tokio::test]
async fn disconnect_ends_the_readers_of_a_topic_wildcards_included() {
    let hub = Hub::memory();
    let mut exact = hub.subscribe("a.b").await.unwrap();
    let mut wild = hub.subscribe(Pattern::new("a.*").unwrap()).await.unwrap();
    let mut other = hub.subscribe("c").await.unwrap();
    publish(&hub, "a.b", 0..1).await;
    assert_eq!(hub.disconnect("a.b").unwrap(), 2);
    assert!(exact.next().await.is_none() && wild.next().await.is_none());
    assert!(is_idle(&mut other).await);
    drop((exact, wild));
    assert_eq!(hub.stats().readers.len(), 1);
}

#[tokio::test]
async fn a_shutdown_ends_subscriptions_and_refuses_new_ones() {
    let shutdown = Shutdown::within(Duration::from_secs(1));
    let hub = Hub::builder().shutdown(shutdown.clone()).memory();
    let mut before = hub.subscribe("a").await.unwrap();
    publish(&hub, "a", 0..1).await;
    shutdown.notify();
    assert_eq!(next(&mut before).await.data(), "0");
    assert!(before.next().await.is_none());
    assert!(hub.subscribe("a").await.unwrap().next().await.is_none());
}

#[tokio::test]
async fn a_topic_that_was_only_asked_for_costs_nothing_afterwards() {
    let hub = Hub::memory();
    for number in 0..100 {
        drop(hub.subscribe((format!("asked.{number}"), Pattern::new("asked.*").unwrap())).await.unwrap());
    }
    let stats = hub.stats();
    assert_eq!((stats.topics, stats.readers.len(), stats.window_bytes), (0, 0, 0));
    let _reader = hub.subscribe("asked.1").await.unwrap();
    for topics in [["a", "b"], ["b", "c"]] {
        hub.publish(topics, Event::message("x")).await.unwrap();
    }
    let stats = hub.stats();
    assert_eq!((stats.topics, &*stats.readers.keys().cloned().collect::<String>()), (3, "asked.1"));
}

#[tokio::test]
async fn an_error_says_what_to_do_and_keeps_its_cause() {
    let hub = Hub::memory();
    let of_topic = hub.publish("a..b", Event::message("x")).await.unwrap_err();
    let of_event = hub.publish("a", Event::message("x").event("\n")).await.unwrap_err();
    let of_name = hub.subscribe("a..b").await.unwrap_err();
    let no_data = hub.publish("a", Event::default().comment("x")).await.unwrap_err();
    for error in [&of_topic as &dyn std::error::Error, &of_event, &of_name] {
        assert_eq!(error.source().map(ToString::to_string), Some(error.to_string()));
    }
    assert!(no_data.source().is_none() && no_data.to_string().contains("add `.data(\"\")`"), "{no_data}");
}

#[tokio::test(start_paused = true)]
async fn g11_a_reader_that_does_not_read_is_dropped_at_the_deadline() {
    let hub = Hub::builder().stalled_after(Duration::from_secs(4)).memory();
    let mut stalled = hub.subscribe("a").await.unwrap();
    let mut healthy = hub.subscribe("a").await.unwrap();
    let mut idle = hub.subscribe("quiet").await.unwrap();
    publish(&hub, "a", 0..1).await;
    assert_eq!(next(&mut healthy).await.data(), "0");
    // Not at the deadline yet, but soon after it.
    tokio::time::sleep(Duration::from_millis(4_001)).await;
    assert_eq!(hub.stats().stalled, 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(hub.stats().stalled, 1);
    assert!(stalled.next().await.is_none());
    publish(&hub, "a", 1..2).await;
    assert_eq!(next(&mut healthy).await.data(), "1");
    assert!(is_idle(&mut idle).await);
}

#[tokio::test(start_paused = true)]
async fn dropping_stalled_readers_lets_others_run() {
    let hub = Hub::builder().stalled_after(Duration::from_secs(4)).memory();
    let mut stalled = Vec::new();
    for number in 0..320 {
        // Half of them on one feed, the others on many.
        let topics = [format!("own.{}", number * (number % 2)), "a".into()];
        stalled.push(hub.subscribe(topics).await.unwrap());
    }
    publish(&hub, "a", 0..1).await;
    let mut left = vec![320];
    while left.last() != Some(&0) {
        assert!(left.len() < 10_000, "they are not dropped");
        tokio::time::advance(Duration::from_millis(100)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
            left.push(hub.stats().readers.get("a").copied().unwrap_or(0));
        }
    }
    let most = left.windows(2).map(|pair| pair[0] - pair[1]).max();
    assert!(most.is_some_and(|most| most < 64), "{most:?} at once");
    drop(stalled);
}

#[tokio::test]
async fn the_total_of_bytes_evicts_the_oldest_of_all() {
    let hub = Hub::builder().total_bytes(7_000).memory();
    let first = hub.publish("a", Event::message("x".repeat(900))).await.unwrap();
    for topic in ["b", "c", "d", "e", "f"] {
        hub.publish(topic, Event::message("x".repeat(900))).await.unwrap();
    }
    assert!(hub.stats().memory_bytes <= 7_000);
    assert!(hub.subscribe("a").after(first.cursor).await.unwrap().gap().is_none());
    let mut earliest = hub.subscribe(Pattern::new(">").unwrap()).start(Start::Earliest).await.unwrap();
    assert_eq!(next(&mut earliest).await.last_event_id(), format!("{}-3", first.cursor.epoch()));
}

#[tokio::test(start_paused = true)]
async fn g6_events_leave_when_they_are_too_old() {
    let hub = Hub::builder().retention(Retention::default().age(Duration::from_secs(10))).memory();
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "a", 1..3).await;
    let reader = hub.subscribe("b").await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(hub.stats().window_bytes, 0);
    assert!(hub.subscribe("a").after(first.cursor).await.unwrap().gap().is_some());
    drop(reader);
}

#[tokio::test]
async fn ended_hook_hears_why() {
    let (tell, told) = std::sync::mpsc::channel();
    let hub = Hub::memory();
    let stream =
        EventStream::new(hub.subscribe("a").await.unwrap()).on_end(move |ended| tell.send(ended).unwrap());
    drop(stream.into_response());
    assert!(matches!(told.recv().unwrap().end, EndReason::Left));
}

#[tokio::test]
async fn a_frame_says_what_the_event_said() {
    let frame = Frame::try_from(Event::message("a").event("b").id("c")).unwrap();
    let message = message(frame.as_ref());
    assert_eq!((message.data(), message.event_type(), message.last_event_id()), ("a", "b", "c"));
}
