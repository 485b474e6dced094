//! Runs: a producer that outlives its readers, a stop that reaches it, and an end in every case.

use std::{error::Error as _, time::Duration};

use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, next, publish, within};
use futures_util::{FutureExt as _, Stream};
use sse_core::{
    EndReason, Error, Event, EventStream, Exclusive, GapReason, Hub, Pattern, Retention, Start, Topic,
    error::{InvalidTopic, PublishError, RunError, SubscribeError},
    history::{
        Appended, Entry, EntryKind, History, HistoryBounds, HistoryError, Record, SignalReceipt, TailEvent,
    },
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Both kinds of setup: a hub in memory, and two processes over one history.
async fn hubs() -> Vec<[Hub; 2]> {
    let (hub, history) = (Hub::memory(), Scripted::new());
    let shared = [Hub::open(history.clone()).await.unwrap(), Hub::open(history).await.unwrap()];
    vec![[hub.clone(), hub], shared]
}

async fn status(hub: &Hub, topic: &str, last: &str) -> u16 {
    EventStream::new(hub.subscribe(topic).after(last).await.unwrap()).into_response().status().as_u16()
}

#[tokio::test]
async fn late_readers_get_all_then_live_then_the_end_then_204() {
    for [here, there] in hubs().await {
        let run = here.start_run("answer.1").unwrap();
        for token in ["a", "b", "c"] {
            run.publish(Event::message(token)).await.unwrap();
        }
        let mut late = there.subscribe("answer.1").start(Start::Earliest).await.unwrap();
        assert_eq!(data(&mut late, 2).await, ["a", "b"]);
        let cut_off_at = next(&mut late).await.last_event_id().to_owned();
        drop(late);
        // No reader is connected, and the producer continues.
        run.publish(Event::message("d")).await.unwrap();
        let mut resumed = there.subscribe("answer.1").start(Start::Earliest).after(cut_off_at).await.unwrap();
        assert_eq!(data(&mut resumed, 1).await, ["d"]);
        run.publish(Event::message("e")).await.unwrap();
        run.finish().await.unwrap();
        assert_eq!(data(&mut resumed, 1).await, ["e"]);
        let end = next(&mut resumed).await;
        assert_eq!((end.event_type(), end.data()), ("sse.end", r#"{"topic":"answer.1"}"#));
        assert!(resumed.next().await.is_none());
        assert_eq!(status(&there, "answer.1", end.last_event_id()).await, 204);
        let mut later = there.subscribe("answer.1").start(Start::Earliest).await.unwrap();
        assert_eq!(data(&mut later, 5).await, ["a", "b", "c", "d", "e"]);
        assert_eq!(next(&mut later).await.event_type(), "sse.end");
    }
}

#[tokio::test]
async fn a_stop_reaches_the_producer_wherever_it_is_and_no_reader() {
    for [here, there] in hubs().await {
        let mut nosy = there.subscribe(Pattern::new(">").unwrap()).await.unwrap();
        let (run, other) = (here.start_run("answer.1").unwrap(), here.start_run("answer.2").unwrap());
        let producer = tokio::spawn(async move {
            let mut said = 0;
            loop {
                tokio::select! {
                    () = run.stopped() => break,
                    () = tokio::time::sleep(Duration::from_millis(1)) => {
                        run.publish(Event::message("token")).await.unwrap();
                        said += 1;
                    }
                }
            }
            run.publish(Event::message("stopped here")).await.unwrap();
            run.finish().await.unwrap();
            said
        });
        assert_eq!(next(&mut nosy).await.data(), "token");
        there.stop_run("answer.1").await.unwrap();
        let said = within(producer).await.unwrap();
        let mut rest = Vec::new();
        while rest.last().is_none_or(|last| last != r#"{"topic":"answer.1"}"#) {
            rest.push(next(&mut nosy).await.data().to_owned());
        }
        assert_eq!(rest.len(), said - 1 + 2, "{rest:?}");
        assert!(is_idle(&mut nosy).await);
        assert!(!other.is_stopped());
        assert!(!there.stop_run("answer.1").await.unwrap() && !there.stop_run("unknown").await.unwrap());
        assert!(here.stop_run("answer.2").await.unwrap() && other.is_stopped());
        other.stopped().await;
    }
}

#[tokio::test]
async fn an_abandoned_run_is_finished_and_says_so() {
    for [here, there] in hubs().await {
        let mut reader = there.subscribe("answer.1").await.unwrap();
        let run = here.start_run("answer.1").unwrap();
        // The producer is cancelled in the middle of its work.
        let producer = tokio::spawn(async move {
            run.publish(Event::message("a")).await.unwrap();
            std::future::pending::<()>().await;
        });
        assert_eq!(data(&mut reader, 1).await, ["a"]);
        producer.abort();
        let end = next(&mut reader).await;
        assert_eq!((end.event_type(), end.data()), ("sse.end", r#"{"topic":"answer.1","abandoned":true}"#));
        assert!(reader.next().await.is_none());
        assert_eq!(status(&there, "answer.1", end.last_event_id()).await, 204);
        // A reader that comes live afterwards gets the same.
        let mut live = there.subscribe("answer.1").await.unwrap();
        assert_eq!(next(&mut live).await.data(), end.data());
        // The topic can be run again.
        until(|| here.start_run("answer.1").is_ok()).await;
    }
}

#[tokio::test]
async fn no_publish_that_was_broken_off_follows_the_end() {
    let history = Scripted::new();
    history.set_slow(true);
    let hub = Hub::open(history).await.unwrap();
    for number in 0..100 {
        let topic = format!("answer.{number}");
        let mut reader = hub.subscribe(&topic).await.unwrap();
        let run = hub.start_run(&topic).unwrap();
        let producer = tokio::spawn(async move {
            let topic = run.topic().to_string();
            run.publish(Event::message(topic)).await.unwrap();
        });
        for _ in 0..number % 5 {
            tokio::task::yield_now().await;
        }
        producer.abort();
        while next(&mut reader).await.event_type() != "sse.end" {}
        assert!(within(reader.next()).await.is_none(), "{topic} was opened again");
    }
    // However far its producer got, each topic's end is its last record.
    let mut all = hub.subscribe(Pattern::new("answer.*").unwrap()).start(Start::Earliest).await.unwrap();
    let mut over = std::collections::BTreeSet::new();
    while over.len() < 100 {
        let message = next(&mut all).await;
        let end = format!(r#"{{"topic":"{}","abandoned":true}}"#, message.data());
        assert!(!over.contains(&end), "{} came after its end", message.data());
        if message.event_type() == "sse.end" {
            over.insert(message.data().to_owned());
        }
    }
    assert!(is_idle(&mut all).await);
}

#[tokio::test(start_paused = true)]
async fn a_silent_run_expires() {
    for [here, there] in hubs().await {
        let run = here.start_run("build.1").unwrap().expire_after(60 * SECOND);
        let began_at = Instant::now();
        for _ in 0..5 {
            tokio::time::sleep(50 * SECOND).await;
            run.publish(Event::message("step")).await.unwrap();
        }
        assert!(!run.is_stopped());
        run.stopped().await;
        let silent_for = began_at.elapsed() - 250 * SECOND;
        assert!(silent_for >= 60 * SECOND && silent_for < 61 * SECOND, "{silent_for:?}");
        let mut reader = there.subscribe("build.1").start(Start::Earliest).await.unwrap();
        assert_eq!(data(&mut reader, 5).await, ["step"; 5]);
        assert_eq!(next(&mut reader).await.data(), r#"{"topic":"build.1","abandoned":true}"#);
        assert!(matches!(run.publish(Event::message("late")).await, Err(RunError::Over)));
        assert!(matches!(run.finish().await, Err(RunError::Over)));
        assert!(is_idle(&mut there.subscribe("other").await.unwrap()).await);
        // A run that is finished in time is not abandoned.
        let run = here.start_run("build.2").unwrap().expire_after(60 * SECOND);
        run.finish().await.unwrap();
        let head = here.stats().head;
        tokio::time::sleep(600 * SECOND).await;
        assert_eq!(here.stats().head, head);
    }
}

#[tokio::test]
async fn a_topic_runs_once_at_a_time_in_a_process() {
    let hub = Hub::memory();
    let run = hub.start_run("job").unwrap();
    let again = hub.start_run("job").unwrap_err();
    assert!(matches!(again, RunError::Running));
    assert!(again.source().is_none() && again.to_string().contains("subscribe to it"), "{again}");
    assert_eq!(Error::from(again).status().as_u16(), 409);
    assert!(matches!(
        hub.start_run("a.*"),
        Err(RunError::Publish(PublishError::Topic(InvalidTopic::Wildcard)))
    ));
    let of_two = hub.start_run(["a", "b"]).unwrap_err();
    assert_eq!(of_two.source().map(ToString::to_string), Some(of_two.to_string()));
    run.finish().await.unwrap();
    assert_eq!(hub.start_run("job").unwrap().topic().as_str(), "job");
}

#[test]
fn a_run_in_memory_is_abandoned_without_a_runtime_too() {
    let hub = Hub::memory();
    drop(hub.start_run("job").unwrap());
    assert_eq!(hub.stats().published, 1);
    assert!(hub.start_run("job").is_ok());
}

#[test]
fn a_run_in_memory_outlives_the_runtime_in_which_it_began() {
    let hub = Hub::memory();
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let run = runtime().block_on(async { hub.start_run("job").unwrap() });
    runtime().block_on(run.publish(Event::message("a"))).unwrap();
    drop(run);
    assert_eq!(hub.stats().published, 2);
}

#[tokio::test]
async fn g9_reserved_topics_cannot_be_published_to() {
    let hub = Hub::open(Scripted::new()).await.unwrap();
    let run = hub.start_run("answer").unwrap();
    for topic in ["$sse.stop", "$sse.other"] {
        let refused = hub.publish(topic, Event::message("answer")).await.unwrap_err();
        assert!(matches!(refused, PublishError::Topic(InvalidTopic::Reserved)));
        assert!(hub.signal(topic, Event::message("answer")).is_err());
        assert!(hub.finish(topic).await.is_err() && hub.start_run(topic).is_err());
    }
    publish(&hub, "a", 0..1).await;
    assert!(!run.is_stopped());
    assert!(hub.publish("$ssent", Event::message("fine")).await.is_ok());
}

fn unknown(topic: &str) -> Option<SubscribeError> {
    Some(SubscribeError::UnknownTopic(Topic::new(topic).unwrap()))
}

#[tokio::test]
async fn a_topic_that_must_exist_has_an_event_an_end_or_a_run() {
    for [here, there] in hubs().await {
        let existing = async |topic: &str| there.subscribe(topic).existing().await.err();
        // A reader that waits for a topic does not make it exist.
        let _waits = there.subscribe("answer.1").await.unwrap();
        assert_eq!(existing("answer.1").await, unknown("answer.1"));
        let run = here.start_run("answer.1").unwrap();
        assert!(here.subscribe("answer.1").existing().await.is_ok(), "begun, and nothing published");
        run.publish(Event::message("a")).await.unwrap();
        assert_eq!(existing("answer.1").await, None);
        run.finish().await.unwrap();
        assert_eq!(existing("answer.1").await, None);
        there.signal("answer.2", Event::message("typing")).unwrap();
        assert_eq!(existing("answer.2").await, unknown("answer.2"));
        // Of several topics each must exist; patterns are not checked.
        let several = there.subscribe(["answer.1", "answer.2"]).existing().await.err();
        assert_eq!(several, unknown("answer.2"));
        let also = there.subscribe("answer.1").existing().backfill("answer.2", Start::Earliest).await.err();
        assert_eq!(also, unknown("answer.2"));
        assert!(there.subscribe(Pattern::new("never.*").unwrap()).existing().await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_whose_events_are_gone_exists_no_more() {
    let hub = Hub::builder().retention(Retention::default().age(10 * SECOND)).memory();
    publish(&hub, "answer.1", 0..3).await;
    assert!(hub.subscribe("answer.1").existing().await.is_ok());
    let _keeps_the_sweep_going = hub.subscribe("other").await.unwrap();
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(hub.subscribe("answer.1").existing().await.err(), unknown("answer.1"));
}

#[tokio::test]
async fn an_unknown_topic_takes_no_place_and_is_404() {
    let hub = Hub::builder().max_readers(1).memory();
    let mut first = hub.subscribe("a").exclusive("ann", Exclusive::TakeOver).await.unwrap();
    let subscribe = || hub.subscribe("answer.1").exclusive("ann", Exclusive::TakeOver).existing();
    let refused = subscribe().await.unwrap_err();
    assert!(refused.to_string().contains("`answer.1`; check its name"), "{refused}");
    assert!(is_idle(&mut first).await, "nobody was ended for it");
    let response = Error::from(refused).into_response();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (404, "application/json".parse().as_ref().unwrap())
    );
    assert!(response.body().starts_with(r#"{"error":"subscribe: nothing is known"#), "{}", response.body());
}

#[tokio::test]
async fn a_history_that_is_down_does_not_make_a_topic_unknown() {
    let history = Scripted::new();
    let hub = Hub::open(history.clone()).await.unwrap();
    history.set_down(true);
    let reader = hub.subscribe("answer.1").existing().await.unwrap();
    assert!(matches!(reader.refusal(), Some(EndReason::Unavailable)), "{:?}", reader.refusal());
}

#[tokio::test]
async fn a_hub_in_memory_that_was_lost_ends_its_runs() {
    let last = {
        let lost = Hub::memory();
        let run = lost.start_run("answer.1").unwrap();
        run.publish(Event::message("half")).await.unwrap().cursor
    };
    let hub = Hub::memory();
    let subscribe = || hub.subscribe("answer.1").after(last).start(Start::Earliest);
    assert_eq!(subscribe().existing().await.err(), unknown("answer.1"));
    // The process knows from its database which runs it had started.
    assert!(hub.abandon("answer.1").await.unwrap().is_some());
    let mut reader = subscribe().existing().await.unwrap();
    assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Epoch));
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    let end = next(&mut reader).await;
    assert_eq!((end.event_type(), end.data()), ("sse.end", r#"{"topic":"answer.1","abandoned":true}"#));
    assert!(reader.next().await.is_none());
    assert_eq!(status(&hub, "answer.1", end.last_event_id()).await, 204);
}

#[tokio::test]
async fn only_what_nobody_here_runs_or_has_finished_is_abandoned() {
    for [here, there] in hubs().await {
        let run = here.start_run("answer.1").unwrap();
        run.publish(Event::message("a")).await.unwrap();
        assert!(matches!(here.abandon("answer.1").await, Err(RunError::Running)));
        run.finish().await.unwrap();
        assert!(there.abandon("answer.1").await.unwrap().is_none());
        publish(&here, "answer.2", 0..1).await;
        assert!(there.abandon("answer.2").await.unwrap().is_some());
        assert!(there.abandon("answer.2").await.unwrap().is_none());
        assert!(there.abandon("answer.*").await.is_err() && there.abandon(["a", "b"]).await.is_err());
    }
}

/// A history that holds the first end back until the test releases it.
#[derive(Clone)]
struct Hesitant {
    inner: Scripted,
    first_end: std::sync::Arc<tokio::sync::Semaphore>,
    ends: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl History for Hesitant {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        let is_end = entries.iter().any(|entry| entry.kind == EntryKind::Finish);
        if is_end && self.ends.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            let _let_through = self.first_end.acquire().await;
        }
        self.inner.append(entries).await
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        self.inner.read(after, limit, max_bytes).await
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        self.inner.bounds(patterns).await
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        self.inner.signal(entry).await
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        self.inner.tail(after)
    }
}

#[tokio::test]
async fn a_cancelled_finish_ends_only_its_own_run() {
    let history = Hesitant {
        inner: Scripted::new(),
        first_end: std::sync::Arc::new(tokio::sync::Semaphore::new(0)),
        ends: std::sync::Arc::default(),
    };
    let hub = Hub::open(history.clone()).await.unwrap();
    let run = hub.start_run("job").unwrap();
    run.publish(Event::message("first run")).await.unwrap();
    let mut finish = Box::pin(run.finish());
    assert!(finish.as_mut().now_or_never().is_none());
    until(|| history.ends.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    drop(finish);
    // The topic is run again as soon as that is allowed, and the pending end comes late.
    let anew = async {
        loop {
            match hub.start_run("job") {
                Ok(run) => break run,
                Err(RunError::Running) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let mut anew = Box::pin(anew);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut anew).await.ok();
    if let Some(run) = &early {
        run.publish(Event::message("second run")).await.unwrap();
    }
    let is_early = early.is_some();
    history.first_end.add_permits(1);
    let run = match early {
        Some(run) => run,
        None => within(anew).await,
    };
    if !is_early {
        run.publish(Event::message("second run")).await.unwrap();
    }
    run.publish(Event::message("and on")).await.unwrap();
    run.finish().await.unwrap();
    let records = history.read(0, 100, usize::MAX).await.unwrap();
    let kinds: Vec<_> = records.iter().map(|record| record.kind == EntryKind::Finish).collect();
    assert_eq!(kinds, [false, true, false, false, true], "{records:?}");
}
