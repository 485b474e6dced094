//! Readers that lag: only the latest of each key for those that want that, and replays that do not overrun a history.

#[path = "common/reader.rs"]
#[allow(dead_code)]
mod reader;
#[path = "common/scripted.rs"]
#[allow(dead_code)]
mod scripted;

use std::{collections::BTreeMap, time::Duration};

use reader::{data, is_idle, message, next, publish};
use scripted::Scripted;
use sse_core::{Event, EventView, Hub, HubBuilder, Pattern, Retention, Start, Subscribe};
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
    // One that keeps up gets everything.
    for text in ["eur 4", "eur 5"] {
        price(&hub, text).await;
        assert_eq!(next(&mut reader).await.data(), text);
    }
    // What was left out before a cursor was replaced after it.
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
async fn the_state_that_a_conflating_reader_ends_with_is_the_true_one() {
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
        let hub = behind(Hub::builder().most_replays(most), &history, 1_200).await;
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
    // Nobody else is held up, and what is live is not paced.
    let began_at = Instant::now();
    publish(&hub, "a", 0..1).await;
    assert_eq!(
        (data(&mut live, 1).await, data(&mut replaying, 1).await),
        (vec!["0".into()], vec!["0".into()])
    );
    assert!(began_at.elapsed() < Duration::from_secs(1));
}
