//! State and the changes after it, under one cursor.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::body::read;
use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, message, next, publish};
use sse_core::{
    Cursor, Event, EventStream, EventView, GapReason, Hub, Retention, Snapshot, SnapshotRequest, Start,
    Subscribe,
};

/// The application's state: a number that events add to, and the position of the last one applied.
#[derive(Clone, Default)]
struct Sum(Arc<Mutex<(u64, Option<Cursor>)>>);

impl Sum {
    /// Changes the state and publishes the change, as one step from the view of its readers.
    async fn add(&self, hub: &Hub, number: u64) {
        let receipt = hub.publish("sum", Event::message(number.to_string())).await.unwrap();
        let mut state = self.0.lock().unwrap();
        *state = (state.0 + number, Some(receipt.cursor));
    }

    fn subscribe(&self, hub: &Hub) -> Subscribe {
        let sum = self.clone();
        hub.subscribe("sum").snapshot(move |_: SnapshotRequest| {
            let sum = sum.clone();
            async move {
                let (total, at) = *sum.0.lock().unwrap();
                let event = Event::message(total.to_string()).event("state");
                Ok::<_, String>(Snapshot::from(event).at(at))
            }
        })
    }
}

/// The state as a client has it.
#[derive(Default)]
struct Client {
    total: u64,
    last: Option<String>,
    states: usize,
}

impl Client {
    fn hear(&mut self, text: &[u8]) {
        let message = message(text);
        let data: u64 = message.data().parse().unwrap_or(0);
        match message.event_type() {
            "state" => (self.total, self.states) = (data, self.states + 1),
            "message" => self.total += data,
            _ => {}
        }
        if !message.last_event_id().is_empty() {
            self.last = Some(message.last_event_id().to_owned());
        }
    }
}

#[tokio::test]
async fn a_new_reader_gets_the_state_then_the_changes() {
    let hub = Hub::memory();
    let sum = Sum::default();
    for number in 1..=3 {
        sum.add(&hub, number).await;
    }
    let mut reader = sum.subscribe(&hub).start(Start::Earliest).await.unwrap();
    sum.add(&hub, 4).await;
    let state = next(&mut reader).await;
    assert_eq!((state.event_type(), state.data()), ("state", "10"));
    let cursor: Cursor = state.last_event_id().parse().unwrap();
    assert_eq!(cursor.seq(), 4, "the state said of which place it is");
    sum.add(&hub, 5).await;
    let change = next(&mut reader).await;
    assert_eq!(change.data(), "5");
    sum.add(&hub, 6).await;
    let mut resumed = sum.subscribe(&hub).after(change.last_event_id()).await.unwrap();
    assert_eq!(data(&mut resumed, 1).await, ["6"]);
    let mut at_state = sum.subscribe(&hub).after(cursor).await.unwrap();
    assert_eq!(data(&mut at_state, 2).await, ["5", "6"]);
}

#[tokio::test]
async fn the_place_is_taken_before_the_state_is_loaded() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..3).await;
    let (publisher, other) = (hub.clone(), hub.clone());
    let subscribe = hub.subscribe("a").snapshot(move |request: SnapshotRequest| {
        let hub = publisher.clone();
        async move {
            assert_eq!((request.position().seq(), request.gap()), (3, None));
            assert_eq!(request.topics()[0].as_str(), "a");
            publish(&hub, "a", 3..5).await;
            Ok::<_, String>(vec![Event::message("first half"), Event::message("second half")])
        }
    });
    let mut reader = subscribe.await.unwrap();
    let halves = [next(&mut reader).await, next(&mut reader).await];
    assert_eq!(halves.each_ref().map(|half| half.data()), ["first half", "second half"]);
    // A reader that is cut off between the halves has no cursor yet.
    assert_eq!(halves[0].last_event_id(), "");
    assert!(halves[1].last_event_id().ends_with("-3"));
    assert_eq!(data(&mut reader, 2).await, ["3", "4"]);
    let mut empty = other.subscribe("b").snapshot(async |_| Ok::<_, String>(Vec::new())).await.unwrap();
    let checkpoint = next(&mut empty).await;
    assert_eq!(checkpoint.event_type(), "sse.checkpoint");
    assert!(checkpoint.last_event_id().ends_with("-5"));
}

#[tokio::test]
async fn a_loader_is_told_why_the_state_is_needed_again() {
    let hub = Hub::builder().retention(Retention::default().events(1)).memory();
    let old = hub.stats().head;
    publish(&hub, "a", 0..3).await;
    let subscribe = hub.subscribe("a").after(old).snapshot(|request: SnapshotRequest| {
        let gap = request.gap().map(|gap| (gap.reason, gap.missed));
        async move {
            assert_eq!(gap, Some((GapReason::Trimmed, Some(2))));
            Ok::<_, std::convert::Infallible>(Event::message("state"))
        }
    });
    let mut reader = subscribe.await.unwrap();
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(data(&mut reader, 1).await, ["state"]);
}

#[tokio::test]
async fn g4_after_a_gap_the_cursor_moves_only_with_the_state() {
    let hub = Hub::builder().retention(Retention::default().events(3)).memory();
    let sum = Sum::default();
    sum.add(&hub, 1).await;
    let old = hub.stats().head;
    for number in 2..=10 {
        sum.add(&hub, number).await;
    }
    let mut reader = sum.subscribe(&hub).after(old).await.unwrap();
    let gap = reader.gap().expect("a gap").clone();
    assert_eq!((gap.reason, gap.resumed_at.seq(), gap.missed), (GapReason::Trimmed, 10, Some(6)));
    let notice = next(&mut reader).await;
    assert_eq!((notice.event_type(), notice.last_event_id()), ("sse.gap", ""));
    assert!(notice.data().contains(&gap.resumed_at.to_string()), "{}", notice.data());
    let state = next(&mut reader).await;
    assert_eq!((state.event_type(), state.data()), ("state", "55"));
    // A live reader that falls behind.
    for number in 11..=20 {
        sum.add(&hub, number).await;
    }
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(next(&mut reader).await.data(), "210");
    sum.add(&hub, 21).await;
    assert_eq!(data(&mut reader, 1).await, ["21"]);
    assert_eq!(hub.stats().gaps["trimmed"], 2);
}

#[tokio::test]
async fn a_state_under_a_wandering_cursor_is_always_right() {
    let hub = Hub::builder().retention(Retention::default().events(8)).memory();
    let sum = Sum::default();
    let mut random = fastrand::Rng::with_seed(7);
    let mut client = Client::default();
    let mut added = 0;
    for round in 0..200 {
        let mut reader = sum.subscribe(&hub).after(client.last.take()).await.unwrap();
        for _ in 0..random.usize(..6) {
            for _ in 0..random.u64(..5) {
                added += 1;
                sum.add(&hub, added).await;
            }
            let frame = tokio::time::timeout(Duration::from_millis(2), reader.next()).await;
            if let Ok(Some(frame)) = frame {
                client.hear(frame.as_ref());
            }
        }
        while let Ok(Some(frame)) = tokio::time::timeout(Duration::from_millis(2), reader.next()).await {
            client.hear(frame.as_ref());
        }
        if client.last.is_none() {
            client.last = Some(hub.stats().head.to_string());
        }
        assert_eq!(client.total, sum.0.lock().unwrap().0, "round {round}");
    }
    assert!(client.states > 5, "{} states: the window never lost anything", client.states);
}

#[tokio::test]
async fn a_fork_brings_the_state_again() {
    let history = Scripted::new();
    let hub = Hub::open(history.clone()).await.unwrap();
    let state = async |_: SnapshotRequest| Ok::<_, String>(Event::message("state"));
    let mut reader = hub.subscribe("a").snapshot(state).await.unwrap();
    publish(&hub, "a", 0..3).await;
    assert_eq!(data(&mut reader, 4).await, ["state", "0", "1", "2"]);
    history.fork(2);
    until(|| hub.stats().head.seq() == 1).await;
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    let state = next(&mut reader).await;
    assert_eq!((state.data(), state.last_event_id()), ("state", &*hub.stats().head.to_string()));
    publish(&hub, "a", 7..8).await;
    assert_eq!(data(&mut reader, 1).await, ["7"]);
}

#[tokio::test]
async fn new_topics_bring_their_state() {
    let hub = Hub::memory();
    let subscribe = hub.subscribe("a").snapshot(async |request: SnapshotRequest| {
        let topics: Vec<_> = request.topics().iter().map(|topic| topic.to_string()).collect();
        Ok::<_, String>(Event::message(topics.join("+")))
    });
    let mut reader = subscribe.await.unwrap();
    let handle = reader.handle();
    assert_eq!(data(&mut reader, 1).await, ["a"]);
    publish(&hub, "b", 0..3).await;
    handle.set_topics(["a", "b"]).unwrap();
    let state = next(&mut reader).await;
    assert_eq!(state.data(), "a+b");
    assert!(state.last_event_id().ends_with("-3"));
    publish(&hub, "b", 3..4).await;
    assert_eq!(data(&mut reader, 1).await, ["3"]);
}

#[tokio::test]
async fn g9_each_principal_has_its_own_state_and_filter() {
    let hub = Hub::memory();
    let of = |tenant: &'static str| {
        hub.subscribe("orders")
            .filter(move |event: &EventView<'_>| event.topics().iter().any(|topic| topic.as_str() == tenant))
            .snapshot(move |_| async move { Ok::<_, String>(Event::message(format!("{tenant}'s state"))) })
    };
    let mut ann = of("ann").await.unwrap();
    let mut bob = of("bob").await.unwrap();
    hub.publish(["orders", "ann"], Event::message("hers")).await.unwrap();
    hub.publish(["orders", "bob"], Event::message("his")).await.unwrap();
    assert_eq!(data(&mut ann, 2).await, ["ann's state", "hers"]);
    assert_eq!(data(&mut bob, 2).await, ["bob's state", "his"]);
    assert!(is_idle(&mut ann).await && is_idle(&mut bob).await);
}

#[tokio::test]
async fn a_finished_topic_is_its_state_then_the_end_then_204() {
    let hub = Hub::memory();
    publish(&hub, "job", 0..2).await;
    hub.finish("job").await.unwrap();
    let state = async |_: SnapshotRequest| Ok::<_, String>(Event::message("done"));
    let mut reader = hub.subscribe("job").snapshot(state).await.unwrap();
    let told = next(&mut reader).await;
    assert_eq!(told.data(), "done");
    assert_eq!(next(&mut reader).await.event_type(), "sse.end");
    assert!(reader.next().await.is_none());
    let again = hub.subscribe("job").snapshot(state).after(told.last_event_id()).await.unwrap();
    assert_eq!(EventStream::new(again).into_response().status(), 204);
}

#[tokio::test(start_paused = true)]
async fn a_loading_state_keeps_the_stream_alive_and_its_cursor() {
    let hub = Hub::memory();
    publish(&hub, "other", 0..9).await;
    let subscribe = hub.subscribe("a").snapshot(async |_| {
        tokio::time::sleep(Duration::from_secs(100)).await;
        Ok::<_, String>(Event::message("state"))
    });
    let mut reading = read(EventStream::new(subscribe.await.unwrap()));
    // The head advances past the position of the state.
    publish(&hub, "other", 9..12).await;
    let mut keep_alives = 0;
    let state = loop {
        let text = reading.next().await.unwrap();
        if !text.starts_with("retry: ") {
            break text;
        }
        keep_alives += 1;
    };
    assert!(keep_alives > 6, "{keep_alives}");
    assert!(state.starts_with("data: state\nid: ") && state.ends_with("-9\n\n"), "{state}");
    publish(&hub, "a", 0..1).await;
    assert!(reading.next().await.unwrap().starts_with("data: 0\n"));
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_loaded_ends_the_stream_for_a_while() {
    let hub = Hub::builder().retention(Retention::default().events(1)).memory();
    publish(&hub, "a", 0..3).await;
    let of_another_hub = Hub::memory().publish("a", Event::message("x")).await.unwrap().cursor;
    let beyond: Cursor = format!("{}-77", hub.stats().head.epoch()).parse().unwrap();
    let with = |snapshot: Result<Snapshot, &'static str>| {
        hub.subscribe("a").snapshot(move |_| {
            let snapshot = snapshot.clone();
            async move { snapshot }
        })
    };
    let with_own_id = Snapshot::from(Event::message("x").id(7));
    let cases = [
        Err("the database is away"),
        Ok(Snapshot::default().at(of_another_hub)),
        Ok(Snapshot::default().at(beyond)),
        Ok(with_own_id),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let mut reading = read(EventStream::new(with(case).await.unwrap()));
        reading.retry().await;
        assert_eq!(reading.retry().await, 30_000, "case {number}");
        assert_eq!(reading.next().await, None);
        assert_eq!(reading.end(), "error");
    }
    // A state older than the oldest retained event would be followed by a gap for ever.
    let old: Cursor = format!("{}-1", hub.stats().head.epoch()).parse().unwrap();
    let mut reading = read(EventStream::new(with(Ok(Snapshot::default().at(old))).await.unwrap()));
    let mut blocks = 0;
    while reading.next().await.is_some() {
        blocks += 1;
        assert!(blocks < 20);
    }
    assert_eq!(reading.end(), "unavailable");
}
