//! Readers that lag: only the latest event of each key for those that request it, and replays that do not overload
//! a history.

use std::{collections::BTreeMap, time::Duration};

use crate::common::fake_history::Scripted;
use crate::common::reader::{data, is_idle, message, next, publish};
use futures_util::StreamExt as _;
use sse_core::{Event, EventStream, EventView, Hub, HubBuilder, Pattern, Retention, Start, Subscribe};
use tokio::time::Instant;

/// A price is replaced by a later one of the same name; anything else is not.
fn name(event: &EventView<'_>) -> Option<String> {
    (event.event_type() == "price").then(|| event.data().split(' ').next().unwrap_or_default().to_owned())
}

async fn price(hub: &Hub, text: &str) {
    hub.publish("prices", Event::message(text).event("price")).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_lags_gets_the_latest_of_each_key_in_order() {
    let hub = Hub::memory();
    let mut reader = hub.subscribe("prices").conflate_by(name).await.unwrap();
    for text in ["eur 1", "usd 1", "eur 2"] {
        price(&hub, text).await;
    }
    publish(&hub, "prices", 7..8).await;
    publish(&hub, "prices", 7..8).await;
    for text in ["eur 3", "gbp 1", "usd 2"] {
        price(&hub, text).await;
    }
    let first = next(&mut reader).await;
    assert_eq!(first.data(), "7", "events without a key are all told");
    assert_eq!(data(&mut reader, 4).await, ["7", "eur 3", "gbp 1", "usd 2"]);
    assert!(is_idle(&mut reader).await);
    // A reader that keeps up gets every event.
    for text in ["eur 4", "eur 5"] {
        price(&hub, text).await;
        assert_eq!(next(&mut reader).await.data(), text);
    }
    // An event that was left out before a cursor was replaced after it.
    let mut resumed = hub.subscribe("prices").after(first.last_event_id()).conflate_by(name).await.unwrap();
    assert_eq!(data(&mut resumed, 4).await, ["7", "gbp 1", "usd 2", "eur 5"]);
    hub.finish("prices").await.unwrap();
    assert_eq!(next(&mut resumed).await.event_type(), "sse.end");
    assert!(resumed.next().await.is_none());
}

#[tokio::test]
async fn no_key_replaces_the_end_of_a_topic() {
    let hub = Hub::memory();
    let mut reader =
        hub.subscribe(Pattern::new("job.*").unwrap()).conflate_by(|_| Some("the same")).await.unwrap();
    for topic in ["job.1", "job.2"] {
        publish(&hub, topic, 0..2).await;
        hub.finish(topic).await.unwrap();
    }
    assert_eq!(data(&mut reader, 3).await, [r#"{"topic":"job.1"}"#, "1", r#"{"topic":"job.2"}"#]);
}

#[tokio::test]
async fn conflation_looks_at_everything_that_is_pending_however_much() {
    let hub = Hub::memory();
    let mut reader = hub.subscribe(["prices", "other"]).conflate_by(name).await.unwrap();
    for number in 0..5_000 {
        price(&hub, &format!("{} {number} {}", number % 3, "x".repeat(100))).await;
    }
    let told = data(&mut reader, 3).await;
    let prefixes = ["2 4997 ", "0 4998 ", "1 4999 "];
    assert!(told.iter().zip(prefixes).all(|(told, prefix)| told.starts_with(prefix)), "{told:?}");
    assert!(is_idle(&mut reader).await);
}

#[tokio::test]
async fn a_conflating_reader_ends_with_the_latest_state() {
    let history = Scripted::new();
    for hub in [
        Hub::memory(),
        Hub::builder().retention(Retention::default().events(40)).open(history.clone()).await.unwrap(),
    ] {
        let mut random = fastrand::Rng::with_seed(11);
        let mut truth = BTreeMap::new();
        let mut seen = BTreeMap::new();
        let mut last: Option<String> = None;
        let mut told = 0;
        for round in 0..60 {
            let subscribe = hub.subscribe("prices").after(last.take()).start(Start::Earliest);
            let filtered = subscribe.filter(|event| !event.data().starts_with("secret ")).conflate_by(name);
            let mut reader = filtered.await.unwrap();
            for number in 0..random.usize(..150) {
                let key = ["eur", "usd", "gbp", "secret"][random.usize(..4)];
                price(&hub, &format!("{key} {round}.{number}")).await;
                truth.insert(key, format!("{key} {round}.{number}"));
            }
            let most = if round == 59 { usize::MAX } else { random.usize(..5) };
            for _ in 0..most {
                let frame = tokio::time::timeout(Duration::from_millis(20), reader.next()).await;
                let Ok(Some(frame)) = frame else { break };
                let message = message(frame.as_ref());
                assert_ne!(message.event_type(), "sse.gap");
                let key = message.data().split(' ').next().unwrap().to_owned();
                seen.insert(key, message.data().to_owned());
                last = Some(message.last_event_id().to_owned());
                told += 1;
            }
        }
        truth.remove("secret");
        let truth: BTreeMap<_, _> =
            truth.iter().map(|(key, text)| ((*key).to_owned(), text.clone())).collect();
        assert_eq!(seen, truth);
        assert!(told < 600, "{told} of about 4,500 events told");
    }
}

/// A history of many records behind a window of few.
async fn behind(builder: HubBuilder, history: &Scripted, records: u64) -> Hub {
    let hub = builder.retention(Retention::default().events(1)).open(history.clone()).await.unwrap();
    publish(&hub, "a", 0..records).await;
    hub
}

#[tokio::test]
async fn only_so_many_replays_read_the_history_at_once() {
    for (most, expected) in [(3, 3), (0, 1)] {
        let history = Scripted::new();
        let hub = behind(Hub::builder().max_concurrent_replays(most), &history, 1_200).await;
        let replays: Vec<_> = (0..20)
            .map(|_| {
                let subscribe: Subscribe = hub.subscribe("a").start(Start::Earliest);
                tokio::spawn(async move { data(&mut subscribe.await.unwrap(), 1_200).await.len() })
            })
            .collect();
        for replay in replays {
            assert_eq!(replay.await.unwrap(), 1_200);
        }
        assert_eq!(history.most_reading(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_history_is_paced_and_loses_nothing() {
    let history = Scripted::new();
    let hub = behind(Hub::builder().replay_rate(1_000), &history, 5_000).await;
    let began_at = Instant::now();
    let mut live = hub.subscribe("a").await.unwrap();
    let mut replaying = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    let expected: Vec<_> = (0..5_000).map(|number| number.to_string()).collect();
    let mut seen = Vec::new();
    for _ in 0..5_000 {
        let frame = replaying.next().await.unwrap();
        seen.push(message(frame.as_ref()).data().to_owned());
    }
    assert_eq!(seen, expected);
    // About 10 bytes a record in ten blocks, the last of which need not wait.
    let took = began_at.elapsed();
    assert!(took > Duration::from_secs(40) && took < Duration::from_secs(55), "{took:?}");
    // No other reader is delayed, and live events are not paced.
    let began_at = Instant::now();
    publish(&hub, "a", 0..1).await;
    assert_eq!(
        (data(&mut live, 1).await, data(&mut replaying, 1).await),
        (vec!["0".into()], vec!["0".into()])
    );
    assert!(began_at.elapsed() < Duration::from_secs(1));
}

/// A hub that drops readers soon.
fn strict() -> HubBuilder {
    Hub::builder().stalled_after(Duration::from_secs(2))
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_is_not_stalled() {
    let history = Scripted::new();
    let hub = behind(strict().replay_rate(100).max_concurrent_replays(1), &history, 1_200).await;
    let expected: Vec<_> = (0..1_200).map(|number| number.to_string()).collect();
    // Each waits for its rate, and all but one for their turn.
    let began_at = Instant::now();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let subscribe: Subscribe = hub.subscribe("a").start(Start::Earliest);
            tokio::spawn(async move {
                let (mut reader, mut seen) = (subscribe.await.unwrap(), Vec::new());
                while seen.len() < 1_200 {
                    let frame = reader.next().await.expect("dropped as one that does not read");
                    seen.push(message(frame.as_ref()).data().to_owned());
                }
                seen
            })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), expected);
    }
    assert!(began_at.elapsed() > Duration::from_secs(60), "{:?}", began_at.elapsed());
    // The same with a state that takes long to load, while events come.
    let load = |_| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, std::io::Error>(Event::message("state"))
    };
    let mut loading = hub.subscribe("a").snapshot(load).await.unwrap();
    publish(&hub, "a", 0..1).await;
    assert_eq!(message(loading.next().await.expect("dropped").as_ref()).data(), "state");
    assert_eq!(message(loading.next().await.expect("dropped").as_ref()).data(), "0");
    assert_eq!(hub.stats().stalled, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_ignores_its_wakeup_is_dropped() {
    let history = Scripted::new();
    let hub = behind(strict().replay_rate(100), &history, 1_200).await;
    let mut reader = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    // It waits for its rate at the moment when it gives up.
    data(&mut reader, 500).await;
    assert!(tokio::time::timeout(Duration::from_secs(1), reader.next()).await.is_err());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(hub.stats().stalled, 0, "there is nothing for it yet");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((hub.stats().stalled, hub.stats().held_bytes), (1, 0));
    assert!(reader.next().await.is_none());
}

/// Takes chunks until the hub holds data for the reader, and then no more.
async fn held(hub: &Hub, reader: sse_core::Subscription) -> (usize, std::pin::Pin<Box<sse_core::Body>>) {
    let mut body = Box::pin(EventStream::new(reader).into_response().into_body());
    for _ in 0..1_000 {
        if hub.stats().held_bytes > 0 {
            break;
        }
        body.next().await.expect("not ended").expect("never fails");
    }
    (hub.stats().held_bytes, body)
}

/// A chunk and a half.
const MAX_HELD: usize = 96 << 10;

#[tokio::test(start_paused = true)]
async fn g11_a_stalled_readers_memory_is_bounded_and_freed() {
    let history = Scripted::new();
    let hub = strict().retention(Retention::default().events(1)).open(history.clone()).await.unwrap();
    let memory = strict().memory();
    for number in 0..2_000 {
        for hub in [&hub, &memory] {
            let text = format!("{number} {}", "x".repeat(if number < 1_000 { 40 } else { 1_500 }));
            hub.publish("a", Event::message(text)).await.unwrap();
        }
    }
    type AccessRequest = fn(&Hub) -> Subscribe;
    let asked: [(&str, &Hub, usize, AccessRequest); 3] = [
        ("a replay", &hub, MAX_HELD, |hub| hub.subscribe("a").start(Start::Earliest)),
        // One event per key.
        ("conflation", &memory, 3 << 20, |hub| {
            hub.subscribe("a").start(Start::Earliest).conflate_by(|event| Some(event.data().into_owned()))
        }),
        ("a snapshot", &memory, 1 << 20, |hub| {
            let events = (0..100).map(|_| Event::message("x".repeat(10_000)));
            let snapshot = sse_core::Snapshot::new(events);
            hub.subscribe("b").snapshot(move |_| {
                let snapshot = snapshot.clone();
                async move { Ok::<_, std::io::Error>(snapshot) }
            })
        }),
    ];
    for (name, hub, max, ask) in asked {
        let stalled = hub.stats().stalled;
        let (bytes, mut body) = held(hub, ask(hub).await.unwrap()).await;
        assert!((1..=max).contains(&bytes), "{name}: {bytes} bytes");
        tokio::time::sleep(Duration::from_secs(5)).await;
        let stats = hub.stats();
        assert_eq!((stats.held_bytes, stats.stalled), (0, stalled + 1), "{name}");
        assert!(stats.readers.is_empty(), "{name}: {:?}", stats.readers);
        while let Some(Ok(bytes)) = body.next().await {
            assert!(bytes.starts_with(b"retry: "), "{name}: {bytes:?}");
        }
        // A reader that leaves frees it as well.
        drop(held(hub, ask(hub).await.unwrap()).await);
        assert_eq!(hub.stats().held_bytes, 0, "{name}");
    }
    // A filter and an earlier state are read one chunk at a time, and no chunk is kept.
    let asked: [AccessRequest; 3] = [
        |hub| hub.subscribe("a").start(Start::Earliest).filter(|_| true),
        |hub| hub.subscribe("b").backfill("a", Start::Earliest),
        |hub| hub.subscribe("b").backfill("a", Start::Latest(900)),
    ];
    for ask in asked {
        let mut body = Box::pin(EventStream::new(ask(&memory).await.unwrap()).into_response().into_body());
        for _ in 0..10 {
            assert!(body.next().await.expect("not ended").expect("never fails").len() <= 64 << 10);
            assert_eq!(memory.stats().held_bytes, 0);
        }
    }
}

#[tokio::test]
async fn a_replay_of_large_events_holds_one_of_them() {
    const LEN: usize = 900_000;
    let history = Scripted::new();
    let hub = Hub::builder().retention(Retention::default().events(1)).open(history.clone()).await.unwrap();
    for _ in 0..8 {
        hub.publish("a", Event::message("x".repeat(LEN))).await.unwrap();
    }
    let mut latest = hub.subscribe("a").start(Start::Latest(3)).await.unwrap();
    let mut reader = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    for _ in 0..8 {
        assert_eq!(next(&mut reader).await.data().len(), LEN);
        assert!(hub.stats().held_bytes < LEN + 200, "{}", hub.stats().held_bytes);
    }
    for _ in 0..3 {
        assert_eq!(next(&mut latest).await.data().len(), LEN);
    }
    assert!(is_idle(&mut latest).await && is_idle(&mut reader).await);
    assert!(history.max_bytes() < LEN + 200, "{} bytes read at once", history.max_bytes());
}

#[tokio::test]
async fn a_state_is_sent_once_in_order() {
    let hub = Hub::builder().retention(Retention::default().events(400)).memory();
    for number in 0..600 {
        let topics: &[&str] = if number % 3 == 0 { &["x", "y"] } else { &["x"] };
        hub.publish(topics, Event::message(format!("{number} {}", "z".repeat(1_000)))).await.unwrap();
    }
    let numbers = |data: Vec<String>| -> Vec<u32> {
        data.iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    let mut all = hub.subscribe("b").backfill(["x", "y"], Start::Earliest).await.unwrap();
    // The window holds 400 of x and 200 of y, some of which are the same.
    let expected: Vec<u32> = (0..600).filter(|number| *number >= 200 || number % 3 == 0).collect();
    assert_eq!(numbers(data(&mut all, expected.len()).await), expected);
    publish(&hub, "b", 0..1).await;
    assert_eq!(data(&mut all, 1).await, ["0"]);
    let odd =
        |event: &EventView<'_>| !event.data().split(' ').next().unwrap().ends_with(['0', '2', '4', '6', '8']);
    let mut latest = hub.subscribe("b").backfill(["x", "y"], Start::Latest(150)).filter(odd).await.unwrap();
    let expected: Vec<u32> = (300..600).filter(|number| number % 2 == 1).collect();
    assert_eq!(numbers(data(&mut latest, 150).await), expected);
    assert!(is_idle(&mut latest).await);
}
