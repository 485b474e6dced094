//! Readers by handle: list them, close them, set their `retry`, change their topics, limit them, make them exclusive.

use std::time::{Duration, SystemTime};

use crate::common::body::read;
use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, message, next, publish, within};
use sse_core::{
    EndReason, Event, EventStream, EventView, Exclusive, GapReason, Hub, Pattern, Retention, Start,
    Subscription,
    error::{InvalidTopic, SubscribeError},
};
use tokio::{task::JoinHandle, time::Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Reads in a separate task until the end; returns the data of each message.
fn reading(mut subscription: Subscription) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut data = Vec::new();
        while let Some(frame) = subscription.next().await {
            if frame.as_ref().ends_with(b"\n\n") {
                data.push(message(frame.as_ref()).data().to_owned());
            }
        }
        data
    })
}

#[tokio::test(start_paused = true)]
async fn the_readers_of_a_topic_are_listed_in_detail() {
    let began_at = SystemTime::now() - SECOND;
    let hub = Hub::memory();
    let mut ann = hub.subscribe("a.1").principal("ann").await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let wild = hub.subscribe(Pattern::new("a.*").unwrap()).await.unwrap();
    let other = hub.subscribe("b").principal("bob").await.unwrap();
    publish(&hub, "a.1", 0..5).await;
    publish(&hub, "a.2", 0..2).await;
    assert_eq!(data(&mut ann, 2).await, ["0", "1"]);
    let readers = hub.readers("a.1").unwrap();
    let facts: Vec<_> = readers.iter().map(|reader| (reader.principal(), reader.lag())).collect();
    assert_eq!(facts, [(Some("ann"), 3), (None, 7)]);
    let apart = readers[1].since().duration_since(readers[0].since()).unwrap();
    assert!(apart > 9 * SECOND && apart < 11 * SECOND, "{apart:?}");
    assert!(readers[1].since().duration_since(began_at).is_ok_and(|since| since < 3600 * SECOND));
    assert_eq!(readers[1].topics()[0].as_str(), "a.*");
    // The same reader has the same id, whichever caller asks.
    assert_eq!(readers[0].id(), ann.handle().id());
    assert_eq!(hub.reader(&readers[1].id()).unwrap().id(), wild.handle().id());
    assert_ne!(readers[0].id(), readers[1].id());
    let id = readers[0].id();
    drop((ann, wild, other));
    assert!(hub.reader(&id).is_none() && !readers[0].is_open());
    assert!(hub.readers(["a.1", "b"]).unwrap().is_empty());
    for nonsense in ["", "x", "-1", "ffffffffffffffff", &format!("+{id}"), &id.to_uppercase()] {
        assert!(hub.reader(nonsense).is_none(), "{nonsense:?}");
    }
    assert_eq!(hub.readers("a.*").unwrap_err(), InvalidTopic::Wildcard);
}

#[tokio::test]
async fn closing_one_reader_ends_it_at_once_and_no_other() {
    let hub = Hub::memory();
    let named = hub.subscribe("a").await.unwrap();
    let plain = hub.subscribe("a").await.unwrap();
    let stays = hub.subscribe("a").await.unwrap();
    let handle = named.handle();
    let [named, plain, stays] = [named, plain, stays].map(reading);
    tokio::task::yield_now().await;
    handle.close();
    handle.close();
    assert!(within(named).await.unwrap().is_empty());
    let rest = hub.readers("a").unwrap();
    assert_eq!(rest.len(), 2);
    // A reader whose handle was never requested is already waiting.
    rest[0].close();
    assert!(within(plain).await.unwrap().is_empty());
    publish(&hub, "a", 0..1).await;
    hub.finish("a").await.unwrap();
    assert_eq!(within(stays).await.unwrap(), ["0", r#"{"topic":"a"}"#]);
}

#[tokio::test(start_paused = true)]
async fn a_new_retry_is_told_at_once_and_kept() {
    let hub = Hub::memory();
    let subscription = hub.subscribe("a").await.unwrap();
    let handle = subscription.handle();
    let mut reading = read(EventStream::new(subscription));
    reading.retry().await;
    assert!(reading.is_silent_for(SECOND).await);
    let began_at = Instant::now();
    handle.retry(60 * SECOND);
    let told = reading.retry().await;
    assert!((60_000..=120_000).contains(&told), "{told}");
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    assert_eq!(reading.retry().await, told, "the keep-alive repeats it");
    handle.close();
    assert_eq!(reading.retry().await, told, "the last words repeat it");
    assert_eq!(reading.next().await, None);
    assert_eq!(reading.end(), "disconnected");
}

#[tokio::test]
async fn rule_6_topics_change_without_losing_the_position() {
    let hub = Hub::memory();
    let mut reader = hub.subscribe("a").await.unwrap();
    let handle = reader.handle();
    publish(&hub, "a", 0..3).await;
    publish(&hub, "b", 10..12).await;
    assert_eq!(data(&mut reader, 1).await, ["0"]);
    // At position 1: events of b after it are read, and those of a after it are no longer wanted.
    handle.set_topics(("b", Pattern::new("c.*").unwrap())).unwrap();
    assert_eq!(handle.topics().iter().map(|topic| topic.as_str()).collect::<Vec<_>>(), ["b", "c.*"]);
    assert_eq!(data(&mut reader, 2).await, ["10", "11"]);
    publish(&hub, "a", 3..4).await;
    publish(&hub, "c.1", 20..21).await;
    assert_eq!(data(&mut reader, 1).await, ["20"]);
    assert_eq!(hub.readers("a").unwrap().len(), 0);
    // Back again: only after its position, unless the earlier state is requested.
    handle.set_topics("a").unwrap();
    assert!(is_idle(&mut reader).await);
    handle.add_topics("b", Start::Latest(1)).unwrap();
    let state = next(&mut reader).await;
    assert_eq!((state.data(), state.last_event_id()), ("11", ""));
    publish(&hub, "a", 4..5).await;
    publish(&hub, "b", 12..13).await;
    assert_eq!(data(&mut reader, 2).await, ["4", "12"]);
    assert_eq!(hub.stats().readers.keys().collect::<Vec<_>>(), ["a", "b"]);
    // Invalid topics change nothing.
    assert_eq!(handle.set_topics("a b").unwrap_err(), InvalidTopic::NotVisibleAscii { at: 1 });
    let none: [&str; 0] = [];
    assert_eq!(handle.set_topics(none).unwrap_err(), InvalidTopic::Missing);
    let many: Vec<_> = (0..99).map(|number| format!("many.{number}")).collect();
    assert_eq!(handle.add_topics(&many, Start::Live).unwrap_err(), InvalidTopic::TooMany { limit: 100 });
    publish(&hub, "a", 5..6).await;
    assert_eq!(data(&mut reader, 1).await, ["5"]);
}

#[tokio::test]
async fn a_waiting_reader_switches_topics_at_once() {
    let hub = Hub::memory();
    let mut ann = hub
        .subscribe("a")
        .filter(|event: &EventView<'_>| event.topics().iter().any(|topic| topic.as_str() == "ann"))
        .await
        .unwrap();
    publish(&hub, "b", 0..1).await;
    hub.publish(["b", "ann"], Event::message("hers, earlier")).await.unwrap();
    let handle = ann.handle();
    assert!(is_idle(&mut ann).await);
    let reading = reading(ann);
    tokio::task::yield_now().await;
    // Over its own control endpoint a tenant requests all topics, and still gets only its own events.
    handle.set_topics(Pattern::new(">").unwrap()).unwrap();
    handle.add_topics("b", Start::Earliest).unwrap();
    tokio::task::yield_now().await;
    hub.publish(["b", "bob"], Event::message("his")).await.unwrap();
    hub.publish(["b", "ann"], Event::message("hers")).await.unwrap();
    hub.signal(["b", "bob"], Event::message("his typing")).unwrap();
    until(|| handle.lag() == 0).await;
    handle.close();
    assert_eq!(within(reading).await.unwrap(), ["hers, earlier", "hers"]);
}

#[tokio::test]
async fn new_topics_that_were_evicted_after_the_position_are_a_gap() {
    let hub = Hub::builder().retention(Retention::default().events(2)).memory();
    let mut reader = hub.subscribe("a").await.unwrap();
    let handle = reader.handle();
    publish(&hub, "b", 0..9).await;
    handle.set_topics("b").unwrap();
    let gap = next(&mut reader).await;
    assert_eq!((gap.event_type(), gap.data().contains(r#""missed":7"#)), ("sse.gap", true), "{}", gap.data());
    assert_eq!(data(&mut reader, 2).await, ["7", "8"]);
    handle.set_topics(["a", "b"]).unwrap();
    assert!(is_idle(&mut reader).await);
    assert_eq!(hub.stats().gaps[GapReason::Trimmed.as_str()], 1);
}

#[tokio::test]
async fn turning_to_finished_topics_tells_so_and_ends() {
    let hub = Hub::memory();
    hub.finish("done").await.unwrap();
    publish(&hub, "a", 0..1).await;
    let mut reader = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    let handle = reader.handle();
    let last = next(&mut reader).await;
    handle.set_topics(["done", "open"]).unwrap();
    assert!(is_idle(&mut reader).await);
    let finish = hub.finish("open").await.unwrap();
    let end = next(&mut reader).await;
    assert_eq!((end.event_type(), end.last_event_id()), ("sse.end", &*finish.cursor.to_string()));
    let end = next(&mut reader).await;
    assert_eq!((end.data(), end.last_event_id()), (r#"{"topic":"done"}"#, ""));
    assert!(reader.next().await.is_none());
    assert_eq!(last.data(), "0");
}

#[tokio::test]
async fn new_topics_and_their_ends_come_from_the_history() {
    let history = Scripted::new();
    let before = Hub::open(history.clone()).await.unwrap();
    before.finish("done").await.unwrap();
    publish(&before, "busy", 0..20).await;
    drop(before);
    let hub = Hub::builder().retention(Retention::default().events(2)).open(history.clone()).await.unwrap();
    let mut reader = hub.subscribe("a").await.unwrap();
    let handle = reader.handle();
    publish(&hub, "b", 0..700).await;
    handle.set_topics("b").unwrap();
    let expected: Vec<_> = (0..700).map(|number| number.to_string()).collect();
    assert_eq!(data(&mut reader, 700).await, expected);
    handle.set_topics("done").unwrap();
    assert_eq!(next(&mut reader).await.data(), r#"{"topic":"done"}"#);
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn what_was_read_ahead_for_topics_that_are_left_is_not_told() {
    let history = Scripted::new();
    let hub = Hub::builder().retention(Retention::default().events(2)).open(history).await.unwrap();
    publish(&hub, "a", 0..50).await;
    publish(&hub, "b", 50..60).await;
    let mut reader = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut reader, 2).await, ["0", "1"]);
    reader.handle().set_topics("b").unwrap();
    let expected: Vec<_> = (50..60).map(|number| number.to_string()).collect();
    assert_eq!(data(&mut reader, 10).await, expected);
}

#[tokio::test]
async fn over_a_limit_a_reader_is_refused_and_told_to_come_back() {
    let hub = Hub::builder().max_readers(3).memory();
    let mut first = Vec::new();
    for _ in 0..2 {
        first.push(hub.subscribe("a").limit("ann", 2).limit("10.0.0.1", 10).await.unwrap());
    }
    let refused =
        hub.subscribe("b").limit("ann", 2).limit("10.0.0.1", 10).start(Start::Earliest).await.unwrap();
    assert!(matches!(refused.refusal(), Some(EndReason::Limit)) && refused.gap().is_none());
    let mut reading = read(EventStream::new(refused));
    reading.retry().await;
    assert_eq!(reading.next().await, None);
    assert_eq!(reading.end(), "limit");
    let address = hub.subscribe("b").limit("10.0.0.1", 2).await.unwrap();
    assert!(address.refusal().is_some());
    // Others may read until the hub is full, and a freed place can be used again.
    let bob = hub.subscribe("a").limit("bob", 2).await.unwrap();
    assert!(bob.refusal().is_none());
    assert!(hub.subscribe("a").await.unwrap().refusal().is_some());
    assert_eq!(hub.stats().readers["a"], 3);
    first.pop();
    let again = hub.subscribe("a").limit("ann", 2).await.unwrap();
    assert!(again.refusal().is_none());
    drop((first, bob, again, address));
    let fill: Vec<_> = [hub.subscribe("a").await, hub.subscribe("a").await, hub.subscribe("a").await].into();
    assert!(fill.into_iter().all(|reader| reader.unwrap().refusal().is_none()));
    assert!(hub.stats().readers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stopped_reading_no_longer_takes_a_place() {
    let hub = Hub::builder().stalled_after(4 * SECOND).memory();
    let stalled = hub.subscribe("a").limit("ann", 1).await.unwrap();
    assert!(hub.subscribe("a").limit("ann", 1).await.unwrap().refusal().is_some());
    publish(&hub, "a", 0..1).await;
    tokio::time::sleep(6 * SECOND).await;
    assert!(!stalled.handle().is_open());
    let again = hub.subscribe("a").limit("ann", 1).await.unwrap();
    assert!(again.refusal().is_none());
    drop(stalled);
    assert!(hub.subscribe("a").limit("ann", 1).await.unwrap().refusal().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_reader_is_replaced_or_stays() {
    let hub = Hub::memory();
    let first = hub.subscribe("a").exclusive("ann", Exclusive::TakeOver).await.unwrap();
    let other = hub.subscribe("a").exclusive("bob", Exclusive::TakeOver).await.unwrap();
    let mut first = read(EventStream::new(first));
    first.retry().await;
    assert!(first.is_silent_for(SECOND).await);
    let mut second = hub.subscribe("b").exclusive("ann", Exclusive::TakeOver).await.unwrap();
    let away = first.retry().await;
    assert!((1_800_000..=3_600_000).contains(&away), "{away}");
    assert_eq!(first.next().await, None);
    assert_eq!(first.end(), "replaced");
    drop(first);
    let refused = hub.subscribe("c").exclusive("ann", Exclusive::Reject).await.unwrap();
    assert!(matches!(refused.refusal(), Some(EndReason::Occupied)));
    let mut refused = read(EventStream::new(refused));
    refused.retry().await;
    assert_eq!(refused.next().await, None);
    publish(&hub, "b", 0..1).await;
    assert_eq!(data(&mut second, 1).await, ["0"]);
    drop(second);
    assert!(hub.subscribe("c").exclusive("ann", Exclusive::Reject).await.unwrap().refusal().is_none());
    assert!(other.handle().is_open());
}

#[tokio::test]
async fn names_have_a_length() {
    let hub = Hub::memory();
    let long = "x".repeat(513);
    for wrong in ["", &long] {
        assert_eq!(hub.subscribe("a").principal(wrong).await.unwrap_err(), SubscribeError::Name);
        assert_eq!(hub.subscribe("a").limit(wrong, 1).await.unwrap_err(), SubscribeError::Name);
        let exclusive = hub.subscribe("a").exclusive(wrong, Exclusive::Reject);
        assert_eq!(exclusive.await.unwrap_err(), SubscribeError::Name);
    }
    assert!(hub.subscribe("a").principal("x".repeat(512)).await.is_ok());
}
