//! Promise G9: a principal never receives events that it may not see, and its cursor advances all the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::common::body::read;
use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, next};
use futures_util::StreamExt as _;
use sse_core::{Cursor, Event, EventStream, EventView, Hub, Pattern, Publisher, Retention, Start, Subscribe};

/// A tenant's events carry its label.
fn of(tenant: &'static str) -> impl Fn(&EventView<'_>) -> bool + Send + Sync + 'static {
    move |event| event.topics().iter().any(|topic| topic.as_str() == tenant)
}

async fn publish(hub: &Hub, topic: &str, tenant: &str, text: &str) -> Cursor {
    hub.publish([topic, tenant], Event::message(text)).await.unwrap().cursor
}

#[tokio::test]
async fn g9_two_tenants_see_only_their_own_events() {
    let hub = Hub::memory();
    let mark = publish(&hub, "orders", "ann", "mark").await;
    let asks = |tenant| hub.subscribe("orders").filter(of(tenant));
    let mut ann = asks("ann").await.unwrap();
    let mut bob = asks("bob").await.unwrap();
    for number in 0..6 {
        publish(&hub, "orders", ["ann", "bob"][number % 2], &number.to_string()).await;
    }
    hub.signal(["orders", "ann"], Event::message("typing")).unwrap();
    assert_eq!(data(&mut ann, 4).await, ["0", "2", "4", "typing"]);
    assert_eq!(data(&mut bob, 3).await, ["1", "3", "5"]);
    assert!(is_idle(&mut ann).await && is_idle(&mut bob).await);

    let mut replayed = asks("bob").after(mark).await.unwrap();
    assert_eq!(data(&mut replayed, 3).await, ["1", "3", "5"]);
    let mut earliest = asks("ann").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut earliest, 4).await, ["mark", "0", "2", "4"]);
    let mut state =
        hub.subscribe("other").backfill("orders", Start::Latest(2)).filter(of("bob")).await.unwrap();
    assert_eq!(data(&mut state, 2).await, ["3", "5"]);
    assert!(is_idle(&mut state).await);
    // Another tenant's cursor grants no access.
    let anns = next(&mut asks("ann").start(Start::Earliest).await.unwrap()).await;
    let mut stolen = asks("bob").after(anns.last_event_id()).await.unwrap();
    assert_eq!(data(&mut stolen, 3).await, ["1", "3", "5"]);
}

#[tokio::test]
async fn g9_wildcards_do_not_tell_the_names_of_others() {
    let hub = Hub::memory();
    let own = |event: &EventView<'_>| event.topics().iter().any(|topic| topic.as_str().starts_with("ann."));
    let mut ann = hub.subscribe(Pattern::new(">").unwrap()).filter(own).await.unwrap();
    for topic in ["bob.secret", "ann.1", "bob.secret2", "ann.2"] {
        hub.publish(topic, Event::message(topic)).await.unwrap();
        hub.finish(topic).await.unwrap();
    }
    assert_eq!(next(&mut ann).await.data(), "ann.1");
    assert_eq!(next(&mut ann).await.data(), r#"{"topic":"ann.1"}"#);
    assert_eq!(next(&mut ann).await.data(), "ann.2");
    assert_eq!(next(&mut ann).await.data(), r#"{"topic":"ann.2"}"#);
    assert!(is_idle(&mut ann).await);
}

#[tokio::test]
async fn g4_a_filtered_reader_far_behind_gets_each_event_once() {
    type AccessRequest = fn(&Hub) -> Subscribe;

    let hub = Hub::memory();
    let asked: [(&str, AccessRequest); 2] =
        [("one", |hub| hub.subscribe("x.0")), ("all", |hub| hub.subscribe(Pattern::new("x.*").unwrap()))];
    let mark = publish(&hub, "x.0", "none", "mark").await;
    let mut expected = [Vec::new(), Vec::new()];
    for number in 0..3_000 {
        let (topic, tenant) = (format!("x.{}", number % 5), ["ann", "bob", "cy"][number % 3]);
        let text = format!("{number} {}", "x".repeat(200));
        publish(&hub, &topic, tenant, &text).await;
        if tenant == "bob" {
            expected[1].push(text.clone());
            if topic == "x.0" {
                expected[0].push(text);
            }
        }
    }
    for ((name, subscribe), expected) in asked.into_iter().zip(expected) {
        let mut reader = subscribe(&hub).after(mark).filter(of("bob")).await.unwrap();
        assert_eq!(data(&mut reader, expected.len()).await, expected, "{name}");
        assert!(is_idle(&mut reader).await);
        let mut reading =
            read(EventStream::new(subscribe(&hub).after(mark).filter(of("bob")).await.unwrap()));
        let mut text = String::new();
        while text.matches("\n\n").count() < expected.len() {
            text.push_str(&reading.next().await.unwrap());
        }
        let seen = text.lines().filter_map(|line| line.strip_prefix("data: "));
        assert!(seen.eq(expected.iter().map(String::as_str)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_9_what_is_withheld_is_passed_by_checkpoints() {
    let hub = Hub::memory();
    let stream = EventStream::new(hub.subscribe("orders").filter(of("ann")).await.unwrap());
    let mut reading = read(stream);
    reading.retry().await;
    publish(&hub, "orders", "ann", "hers").await;
    assert!(reading.next().await.unwrap().starts_with("data: hers\n"));
    for _ in 0..500 {
        publish(&hub, "orders", "bob", "his").await;
    }
    let checkpoint = reading.next().await.unwrap();
    let cursor =
        checkpoint.strip_prefix("event: sse.checkpoint\ndata: \nid: ").expect("a checkpoint").trim_end();
    assert_eq!(cursor.parse::<Cursor>().unwrap().seq(), 501);
    // No event is checked again, and no withheld event comes back, although this filter would pass it.
    let looked_at = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked_at);
    let mut resumed = hub
        .subscribe("orders")
        .after(cursor)
        .filter(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            true
        })
        .await
        .unwrap();
    assert!(is_idle(&mut resumed).await);
    publish(&hub, "orders", "bob", "new").await;
    assert_eq!(data(&mut resumed, 1).await, ["new"]);
    assert_eq!(looked_at.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_withheld_end_still_answers_204() {
    let hub = Hub::memory();
    publish(&hub, "job", "ann", "hers").await;
    let prices_only = |event: &EventView<'_>| event.event_type() == "message";
    let mut reading = read(EventStream::new(
        hub.subscribe("job").start(Start::Earliest).filter(prices_only).await.unwrap(),
    ));
    reading.retry().await;
    assert!(reading.next().await.unwrap().starts_with("data: hers\n"));
    hub.finish("job").await.unwrap();
    let checkpoint = reading.next().await.unwrap();
    assert!(checkpoint.starts_with("event: sse.checkpoint\n"), "{checkpoint}");
    assert_eq!(reading.next().await, None);
    assert_eq!(reading.end(), "finished");
    let cursor = checkpoint.trim_end().rsplit("id: ").next().unwrap();
    let again = EventStream::new(hub.subscribe("job").after(cursor).filter(prices_only).await.unwrap());
    assert_eq!(again.into_response().status(), 204);
}

#[tokio::test]
async fn a_gap_is_told_to_filtered_readers_too() {
    let hub = Hub::builder().retention(Retention::default().events(3)).memory();
    let mark = publish(&hub, "orders", "ann", "mark").await;
    let mut slow = hub.subscribe("orders").filter(of("ann")).await.unwrap();
    for number in 0..9 {
        publish(&hub, "orders", ["ann", "bob"][number % 2], &number.to_string()).await;
    }
    assert_eq!(next(&mut slow).await.event_type(), "sse.gap");
    assert_eq!(data(&mut slow, 2).await, ["6", "8"]);
    let resumed = hub.subscribe("orders").filter(of("ann")).after(mark).await.unwrap();
    assert!(resumed.gap().is_some());
}

#[tokio::test]
async fn several_filters_must_all_agree_and_see_what_was_published() {
    let hub = Hub::memory();
    let seen = |event: &EventView<'_>| {
        assert_eq!(event.cursor().map(|cursor| cursor.seq()), Some(1));
        assert_eq!(event.topics().iter().map(|topic| topic.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        (event.event_type() == "note") && event.data() == "first\n\nlast id: 7"
    };
    let mut both = hub.subscribe(["b", "a"]).filter(seen).filter(|_| true).await.unwrap();
    let mut one = hub.subscribe("c").filter(seen).filter(|_| false).await.unwrap();
    let mut signals = hub
        .subscribe("s")
        .filter(|event| event.cursor().is_none() && event.event_type() == "message" && event.data() == "")
        .await
        .unwrap();
    let event =
        Event::message("first\n\nlast id: 7").event("note").comment("data: no").retry(Duration::from_secs(3));
    hub.publish(["c", "b", "a"], event).await.unwrap();
    assert_eq!(next(&mut both).await.data(), "first\n\nlast id: 7");
    assert!(is_idle(&mut one).await);
    hub.signal("s", Event::message("")).unwrap();
    assert_eq!(next(&mut signals).await.data(), "");
}

/// Number of failovers that lose the newest event, and number of topics; the more topics, the longer a failover takes.
const FAILOVERS: u64 = 200;
const TOPICS: usize = 2_000;
const READ: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_failovers_leak_nothing_to_a_filtered_reader() {
    let history = Scripted::new();
    let hub = Hub::open(history.clone()).await.unwrap();
    let name = |number: usize| format!("topic.{number}");
    for number in 0..TOPICS {
        hub.publish(name(number), Event::message("before")).await.unwrap();
    }
    let (given, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut readers = tokio::task::JoinSet::new();
    for number in 0..READ {
        for is_filtered in [false, true, false] {
            let mut subscribe = hub.subscribe(name(number));
            if is_filtered {
                subscribe = subscribe.filter(|_| false);
            }
            let stream = EventStream::new(subscribe.await.unwrap()).keep_alive(None);
            let mut body = stream.into_response().into_body();
            let count = Arc::clone(if is_filtered { &given } else { &seen });
            readers.spawn(async move {
                while let Some(Ok(bytes)) = body.next().await {
                    if !bytes.starts_with(b"retry: ") {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    }
    let publisher = Publisher::new(history.clone());
    for _ in 0..FAILOVERS {
        // A tail that begins twice at the same position waits in between.
        publisher.publish(name(TOPICS), Event::message("kept")).await.unwrap();
        let newest =
            publisher.publish((0..READ).map(name).collect::<Vec<_>>(), Event::message("secret")).await;
        let newest = newest.unwrap().cursor;
        until(|| hub.stats().head == newest).await;
        history.fork(newest.seq());
        until(|| hub.stats().head.epoch() != newest.epoch()).await;
    }
    readers.shutdown().await;
    assert!(seen.load(Ordering::Relaxed) > 0, "nobody was given the events that were lost");
    assert_eq!(given.load(Ordering::Relaxed), 0);
}
