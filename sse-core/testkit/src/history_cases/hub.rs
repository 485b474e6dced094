//! A hub on top of the engine: what a reader receives.

use std::time::Duration;

use sse_core::{
    Event, GapReason, Hub, Publisher, Resume, Retention, Shutdown, Start, Subscription, Topic,
    error::SubscribeError, history::History,
};

use crate::HOSTILE;

use super::{Engine, data, first_cursor, next, pattern, settled, status_after, topic, wait_for};

/// A hub whose window holds two events of a topic.
async fn narrow(history: impl History) -> Hub {
    Hub::builder().retention(Retention::default().events(2)).open(history).await.unwrap()
}

async fn publish(hub: &Hub, name: &str, numbers: std::ops::Range<u64>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(hub.publish(name, Event::message(number.to_string())).await.unwrap().cursor.to_string());
    }
    ids
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Cursors of an epoch that has ended are exact before its end, and at it.
pub async fn a_cursor_is_exact_across_a_restart<E: Engine>() {
    let mut engine = E::start().await;
    let mut ids: Vec<String> = Vec::new();
    for round in 0..3_u64 {
        let hub = Hub::open(engine.open(None).await).await.unwrap();
        for (place, id) in ids.iter().enumerate() {
            let mut reader = hub.subscribe("a").after(&**id).await.unwrap();
            assert!(reader.gap().is_none(), "{id} in round {round}: {:?}", reader.resume());
            let rest = ids.len() - place - 1;
            assert_eq!(data(&mut reader, rest).await, numbers(place as u64 + 1..ids.len() as u64));
        }
        if let Some(last) = ids.last() {
            let reader = hub.subscribe("a").after(&**last).await.unwrap();
            assert!(matches!(reader.resume(), Resume::AtTail { .. }), "{:?}", reader.resume());
        }
        ids.extend(publish(&hub, "a", round * 3..round * 3 + 3).await);
        drop(hub);
        engine.kill().await;
        engine.revive().await;
    }
}

/// The engine remembers that a topic was finished.
pub async fn a_finished_topic_gets_204_across_a_restart<E: Engine>() {
    let mut engine = E::start().await;
    let (before, end) = {
        let hub = Hub::open(engine.open(None).await).await.unwrap();
        let before = publish(&hub, "job", 0..1).await.remove(0);
        let end = hub.finish("job").await.unwrap().cursor.to_string();
        publish(&hub, "other", 0..3).await;
        assert_eq!(status_after(&hub, "job", &end).await, 204);
        (before, end)
    };
    engine.kill().await;
    engine.revive().await;
    let hub = narrow(engine.open(None).await).await;
    assert_eq!(status_after(&hub, "job", &end).await, 204);
    assert_eq!(status_after(&hub, "job", &before).await, 200);
    let mut reader = hub.subscribe("job").after(&*before).await.unwrap();
    let told = next(&mut reader).await;
    assert_eq!((told.event_type(), told.last_event_id()), ("sse.end", &*end));
    assert!(wait_for("the end", reader.next()).await.is_none());
    publish(&hub, "job", 1..2).await;
    assert_eq!(status_after(&hub, "job", &end).await, 200);
}

/// A reader that is far behind gets every event.
pub async fn what_left_the_window_comes_from_the_history<E: Engine>() {
    let engine = E::start().await;
    let hub = narrow(engine.open(None).await).await;
    let mut ids = Vec::new();
    for number in 0..300 {
        ids.extend(publish(&hub, "a", number..number + 1).await);
        publish(&hub, "other", number..number + 1).await;
    }
    for place in [0_usize, 1, 150, 297, 298, 299] {
        let mut reader = hub.subscribe("a").after(&*ids[place]).await.unwrap();
        assert!(reader.gap().is_none(), "{:?}", reader.resume());
        for (number, id) in ids.iter().enumerate().skip(place + 1) {
            let message = next(&mut reader).await;
            assert_eq!((message.data(), message.last_event_id()), (&*number.to_string(), &**id));
        }
        publish(&hub, "live", 0..1).await;
    }
}

/// A new reader may start before the window.
pub async fn earliest_and_latest_reach_beyond_the_window<E: Engine>() {
    let engine = E::start().await;
    let hub = narrow(engine.open(None).await).await;
    publish(&hub, "a", 0..30).await;
    publish(&hub, "b", 0..5).await;
    let mut all = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut all, 30).await, numbers(0..30));
    let mut newest = hub.subscribe("a").start(Start::Latest(7)).await.unwrap();
    assert_eq!(data(&mut newest, 7).await, numbers(23..30));
    let mut more = hub.subscribe(["a", "b"]).start(Start::Latest(100)).await.unwrap();
    assert_eq!(data(&mut more, 35).await, [numbers(0..30), numbers(0..5)].concat());
}

/// Trimming is a gap only for readers that asked for trimmed events.
pub async fn a_quiet_topic_is_exact_although_the_history_was_trimmed<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    let hub = narrow(history.clone()).await;
    let quiet = publish(&hub, "quiet", 0..1).await.remove(0);
    publish(&hub, "busy", 0..400).await;
    settled(&history, &[], |span| span.oldest > 2).await;
    let mut reader = hub.subscribe("quiet").after(&*quiet).await.unwrap();
    assert!(reader.gap().is_none(), "{:?}", reader.resume());
    publish(&hub, "quiet", 1..2).await;
    assert_eq!(data(&mut reader, 1).await, ["1"]);
}

/// The trimmed events were seen, and the later ones are kept: that is not a gap, if the engine can know it.
pub async fn a_topic_that_comes_back_after_it_was_trimmed_is_exact<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    let hub = narrow(history.clone()).await;
    let quiet = publish(&hub, "quiet", 0..2).await;
    let busy = publish(&hub, "busy", 0..400).await;
    settled(&history, &[], |span| span.oldest > 60).await;
    publish(&hub, "quiet", 2..3).await;
    // The process that served at the time knows this, and which events of other topics lie between.
    for id in [&quiet[1], &busy[50]] {
        let mut reader = hub.subscribe("quiet").after(&**id).await.unwrap();
        assert!(reader.gap().is_none(), "{:?}", reader.resume());
        assert_eq!(data(&mut reader, 1).await, ["2"]);
    }
    let later = narrow(engine.open(Some(50)).await).await;
    let mut reader = later.subscribe("quiet").after(&*quiet[1]).await.unwrap();
    assert_eq!(reader.gap().is_none(), E::KNOWS_TRIMMED_TOPICS, "{:?}", reader.resume());
    if !E::KNOWS_TRIMMED_TOPICS {
        assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    }
    assert_eq!(data(&mut reader, 1).await, ["2"]);
    let mut reader = later.subscribe("quiet").after(&*quiet[0]).await.unwrap();
    assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Trimmed));
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(data(&mut reader, 1).await, ["2"]);
}

/// A reader with a cursor below the oldest record gets a gap before anything else, and continues from the oldest.
pub async fn a_trimmed_cursor_gets_its_gap_first<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    let hub = narrow(history.clone()).await;
    let ids = publish(&hub, "a", 0..400).await;
    let span = settled(&history, &[pattern("a")], |span| span.oldest > 2).await;
    let mut reader = hub.subscribe("a").after(&*ids[0]).await.unwrap();
    let gap = reader.gap().expect("a gap").clone();
    assert_eq!(gap.reason, GapReason::Trimmed);
    let told = next(&mut reader).await;
    assert_eq!((told.event_type(), told.last_event_id()), ("sse.gap", &*gap.resumed_at.to_string()));
    assert!(gap.resumed_at.seq() + 1 >= span.oldest);
    assert_eq!(data(&mut reader, 1).await, [gap.resumed_at.seq().to_string()]);
    // The position before the oldest is not trimmed.
    let oldest = settled(&history, &[], |_| true).await.oldest;
    let reader = hub.subscribe("a").after(&*ids[oldest as usize - 2]).await.unwrap();
    assert!(reader.gap().is_none(), "{:?}", reader.resume());
}

/// Two processes serve the same ids in the same order, and receivers get signals from both.
pub async fn a_reader_moves_between_two_hubs<E: Engine>() {
    let engine = E::start().await;
    let hubs = [
        Hub::open(engine.open(None).await).await.unwrap(),
        Hub::open(engine.open(None).await).await.unwrap(),
    ];
    let mut last: Option<String> = None;
    for number in 0..20_u64 {
        let node = number as usize % 2;
        let mut reader = hubs[node].subscribe("a").after(last.clone()).start(Start::Earliest).await.unwrap();
        assert!(reader.gap().is_none(), "{:?}", reader.resume());
        let receipt = hubs[1 - node].publish("a", Event::message(number.to_string())).await.unwrap();
        let message = next(&mut reader).await;
        assert_eq!(message.data(), number.to_string());
        assert_eq!(message.last_event_id(), receipt.cursor.to_string());
        last = Some(message.last_event_id().to_owned());
    }
    let mut reader = hubs[1].subscribe("typing").await.unwrap();
    let told = wait_for("a signal from the other hub", async {
        loop {
            hubs[0].signal("typing", Event::message("…")).unwrap();
            if let Ok(frame) = tokio::time::timeout(Duration::from_millis(20), reader.next()).await {
                return frame.unwrap();
            }
        }
    })
    .await;
    assert_eq!(told.as_ref(), "data: …\n\n".as_bytes());
}

/// A process that only publishes needs no window.
pub async fn a_publisher_without_a_window_reaches_readers<E: Engine>() {
    let engine = E::start().await;
    let hub = Hub::open(engine.open(None).await).await.unwrap();
    let publisher = Publisher::new(engine.open(None).await);
    let mut reader = hub.subscribe("a").await.unwrap();
    let receipt = publisher.publish("a", Event::message("0")).await.unwrap();
    assert_eq!(receipt.receivers, None);
    let message = next(&mut reader).await;
    assert_eq!((message.data(), message.last_event_id()), ("0", &*receipt.cursor.to_string()));
    publisher.finish("a").await.unwrap();
    assert_eq!(next(&mut reader).await.event_type(), "sse.end");
}

/// A retried publish is not published twice.
pub async fn the_same_key_publishes_once<E: Engine>() {
    let engine = E::start().await;
    let hub = Hub::open(engine.open(None).await).await.unwrap();
    let first = hub.publish("orders", Event::message("1")).key("order-1").await.unwrap();
    let again = hub.publish("orders", Event::message("1")).key("order-1").await.unwrap();
    assert_eq!((again.cursor, again.duplicate), (first.cursor, true));
    hub.publish("orders", Event::message("2")).await.unwrap();
    let mut reader = hub.subscribe("orders").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut reader, 2).await, ["1", "2"]);
}

/// Replay and live events join without a hole and without a repetition.
pub async fn readers_that_resume_during_publishing_miss_nothing<E: Engine>() {
    let engine = E::start().await;
    let hub = narrow(engine.open(None).await).await;
    let publisher = tokio::spawn({
        let hub = hub.clone();
        async move { publish(&hub, "a", 0..600).await }
    });
    let mut readers = tokio::task::JoinSet::new();
    for stay in [1, 7, 50] {
        let hub = hub.clone();
        readers.spawn(async move {
            let mut last: Option<String> = None;
            let mut seen = Vec::new();
            while seen.len() < 600 {
                let mut reader = hub.subscribe("a").after(last.clone()).start(Start::Earliest).await.unwrap();
                assert!(reader.gap().is_none(), "{:?}", reader.resume());
                for _ in 0..stay.min(600 - seen.len()) {
                    let message = next(&mut reader).await;
                    seen.push(message.data().to_owned());
                    last = Some(message.last_event_id().to_owned());
                }
            }
            assert_eq!(seen, numbers(0..600));
        });
    }
    publisher.await.unwrap();
    wait_for("every reader has everything", readers.join_all()).await;
}

/// A hostile name stays a name, whatever it would mean in a subject, a key or a script of the engine.
pub async fn hostile_names_are_names<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    let hub = narrow(history.clone()).await;
    let topic = |name: &str| Topic::from_parts(["builds", name]).unwrap();
    let mut all = hub.subscribe(pattern("builds.>")).await.unwrap();
    for (number, name) in (1..).zip(HOSTILE) {
        let key = format!("key {name}");
        let publish = async || hub.publish(topic(name), Event::message(name)).key(&*key).await.unwrap();
        let (first, again) = (publish().await, publish().await);
        assert!(!first.duplicate && again.duplicate && again.cursor == first.cursor, "{name:?}");
        assert_eq!(first.cursor.seq(), number, "{name:?}");
        assert_eq!(history.bounds(&[topic(name).into()]).await.unwrap().last, number, "{name:?}");
    }
    for name in HOSTILE {
        assert_eq!(next(&mut all).await.data(), name.replace("\r\n", "\n").replace('\r', "\n"));
    }
    let records = history.read(0, HOSTILE.len(), usize::MAX).await.unwrap();
    let read: Vec<_> = records.iter().map(|record| record.topics[0].parts().nth(1).unwrap()).collect();
    assert_eq!(read, HOSTILE);
}

/// A reader of this topic from its beginning; the topic must exist.
async fn existing(hub: &Hub, name: &str) -> Result<Subscription, SubscribeError> {
    hub.subscribe(name).start(Start::Earliest).existing().await
}

/// Events and ends in the engine count, and trimmed ones do not, whatever the window holds.
pub async fn unknown_topics_are_refused_where_they_must_exist<E: Engine>() {
    let mut engine = E::start().await;
    {
        let hub = Hub::open(engine.open(Some(50)).await).await.unwrap();
        publish(&hub, "answer.1", 0..2).await;
        hub.finish("answer.2").await.unwrap();
    }
    engine.kill().await;
    engine.revive().await;
    let history = engine.open(Some(50)).await;
    let hub = narrow(history.clone()).await;
    let unknown = |name: &str| Some(SubscribeError::UnknownTopic(topic(name)));
    for _ in 0..2 {
        assert_eq!(existing(&hub, "answer.3").await.err(), unknown("answer.3"));
        assert_eq!(data(&mut existing(&hub, "answer.1").await.unwrap(), 2).await, ["0", "1"]);
        assert_eq!(next(&mut existing(&hub, "answer.2").await.unwrap()).await.event_type(), "sse.end");
    }
    let several = hub.subscribe(["answer.1", "answer.3", "answer.2"]).existing().await;
    assert_eq!(several.err(), unknown("answer.3"));
    assert!(hub.subscribe((pattern("never.*"), "answer.1")).existing().await.is_ok());
    let run = hub.start_run("answer.3").unwrap();
    assert!(existing(&hub, "answer.3").await.is_ok());
    run.finish().await.unwrap();
    assert!(existing(&hub, "answer.3").await.is_ok());

    publish(&hub, "busy", 0..400).await;
    settled(&history, &[], |span| span.oldest > 6).await;
    // A window may hold what the history has trimmed; a new window does not.
    let later = narrow(history.clone()).await;
    assert_eq!(existing(&later, "answer.1").await.err(), unknown("answer.1"));
}

/// The readers of a killed process's runs get an end; topics that it had finished are not changed.
pub async fn what_a_killed_process_left_is_abandoned<E: Engine>() {
    let mut engine = E::start().await;
    {
        let hub = Hub::open(engine.open(None).await).await.unwrap();
        // As a run whose process is killed leaves it.
        publish(&hub, "answer.1", 0..2).await;
        hub.finish("answer.2").await.unwrap();
    }
    engine.kill().await;
    engine.revive().await;
    let hub = narrow(engine.open(None).await).await;
    let mut early = existing(&hub, "answer.1").await.unwrap();
    assert_eq!(data(&mut early, 2).await, ["0", "1"]);
    assert!(hub.abandon("answer.2").await.unwrap().is_none());
    let receipt = hub.abandon("answer.1").await.unwrap().expect("an end");
    let end = next(&mut early).await;
    assert_eq!((end.event_type(), end.last_event_id()), ("sse.end", &*receipt.cursor.to_string()));
    assert_eq!(end.data(), r#"{"topic":"answer.1","abandoned":true}"#);
    assert!(wait_for("the end", early.next()).await.is_none());
    assert_eq!(status_after(&hub, "answer.1", &receipt.cursor.to_string()).await, 204);
    assert!(hub.abandon("answer.1").await.unwrap().is_none());
}

/// New readers that are cut off with their first bytes, admitted or refused by a shutdown, connect to another
/// process and get what they asked for and what came in the meantime, once and without a gap.
pub async fn g4_a_first_cursor_is_exact_across_a_restart<E: Engine>() {
    const BEGINNINGS: [(Start, u64); 3] = [(Start::Live, 3), (Start::Earliest, 0), (Start::Latest(2), 1)];
    let mut engine = E::start().await;
    let shutdown = Shutdown::within(Duration::from_secs(5));
    let hub = Hub::builder().shutdown(shutdown.clone()).open(engine.open(None).await).await.unwrap();
    publish(&hub, "a", 0..3).await;
    let mut cut = Vec::new();
    for is_refused in [false, true] {
        if is_refused {
            shutdown.notify();
        }
        for (start, first) in BEGINNINGS {
            let reader = hub.subscribe("a").start(start).await.unwrap();
            assert_eq!(reader.refusal().is_some(), is_refused);
            cut.push((start, first, first_cursor(reader).await));
        }
    }
    publish(&hub, "a", 3..4).await;
    drop(hub);
    engine.kill().await;
    engine.revive().await;
    let hub = narrow(engine.open(None).await).await;
    publish(&hub, "a", 4..5).await;
    for (start, first, cursor) in cut {
        let mut reader = hub.subscribe("a").start(start).after(&*cursor).await.unwrap();
        assert!(reader.gap().is_none(), "{start:?} after {cursor}: {:?}", reader.resume());
        let missed = usize::try_from(5 - first).unwrap();
        assert_eq!(data(&mut reader, missed).await, numbers(first..5), "{start:?} after {cursor}");
    }
}
