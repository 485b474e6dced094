//! A history that is trimmed, rewritten or unavailable while a reader reads from it: the reader gets the available
//! events, and a gap or a `retry` for the others. It never gets another record in place of the requested one.

use crate::common::body;
use std::time::Duration;

use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, next, publish, within};
use sse_core::{
    Cursor, EndReason, Event, EventStream, EventView, Exclusive, Hub, Pattern, Publisher, Retention, Start,
    Subscription, history::HistoryErrorKind,
};

/// A hub whose window holds three events of each topic, after ten events of `a` at 1 to 10; seven of them have left
/// the window.
async fn filled(history: &Scripted) -> Hub {
    let builder = Hub::builder().retention(Retention::default().events(3));
    let hub = builder.open(history.clone()).await.expect("opened");
    publish(&hub, "a", 1..11).await;
    hub
}

/// A reader after the third event, which must read from the history.
async fn after_the_third(hub: &Hub) -> Subscription {
    let third = Cursor::new(hub.stats().head.epoch(), 3);
    let reader = hub.subscribe("a").after(third).await.expect("subscribed");
    assert!(reader.gap().is_none());
    reader
}

async fn is_told_to_come_back(mut reader: Subscription) -> bool {
    within(reader.next()).await.is_none()
}

#[tokio::test]
async fn what_is_trimmed_after_a_reader_was_let_in_is_a_gap() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let mut reader = after_the_third(&hub).await;
    history.trim(6);
    let gap = next(&mut reader).await;
    assert_eq!(gap.event_type(), "sse.gap");
    assert!(
        gap.data().contains(r#""reason":"trimmed""#) && gap.data().contains(r#""missed":2"#),
        "{}",
        gap.data()
    );
    assert_eq!(data(&mut reader, 5).await, ["6", "7", "8", "9", "10"]);
    assert!(is_idle(&mut reader).await);
}

#[tokio::test]
async fn what_is_trimmed_is_no_gap_for_whom_it_does_not_concern() {
    let history = Scripted::new();
    let builder = Hub::builder().retention(Retention::default().events(1));
    let hub = builder.open(history.clone()).await.unwrap();
    let first = hub.publish("quiet", Event::message("0")).await.unwrap();
    publish(&hub, "busy", 0..50).await;
    publish(&hub, "quiet", 1..3).await;
    for last in [first.cursor, Cursor::new(first.cursor.epoch(), 5)] {
        let mut reader = hub.subscribe("quiet").after(last).await.unwrap();
        history.trim(20);
        assert_eq!(data(&mut reader, 2).await, ["1", "2"]);
        assert!(is_idle(&mut reader).await);
        history.trim(1);
    }
    assert_eq!(hub.stats().gaps.values().sum::<u64>(), 0);
}

#[tokio::test]
async fn a_history_that_contradicts_itself_or_is_away_is_no_gap() {
    for oldest in [1, 4, 8] {
        for kind in [HistoryErrorKind::Trimmed, HistoryErrorKind::Unavailable] {
            let history = Scripted::new();
            let hub = filled(&history).await;
            let reader = after_the_third(&hub).await;
            history.trim(oldest);
            history.refuse(kind);
            // Only one of these cases is trimmed.
            let is_trimmed = oldest == 8 && kind == HistoryErrorKind::Trimmed;
            assert_eq!(is_told_to_come_back(reader).await, !is_trimmed, "{kind:?}, the oldest is {oldest}");
            assert_eq!(hub.stats().gaps.values().sum::<u64>(), u64::from(is_trimmed));
        }
    }
}

#[tokio::test]
async fn a_record_of_an_unknown_epoch_is_not_accepted() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let reader = after_the_third(&hub).await;
    history.set_mute(true);
    history.fork(5);
    let publisher = Publisher::new(history.clone());
    for number in 0..10 {
        publisher.publish("a", Event::message(format!("other {number}"))).await.unwrap();
    }
    assert!(is_told_to_come_back(reader).await);
}

#[tokio::test]
async fn a_hole_is_not_passed_over() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let reader = after_the_third(&hub).await;
    history.leave_out(5);
    assert!(is_told_to_come_back(reader).await);
}

#[tokio::test]
async fn an_irrelevant_read_ends_where_the_window_begins() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let of_window = |event: &EventView<'_>| ["9", "10"].contains(&&*event.data());
    let mut reader = hub.subscribe("a").start(Start::Earliest).filter(of_window).await.unwrap();
    assert_eq!(data(&mut reader, 2).await, ["9", "10"]);
    assert_eq!(history.reads(), 1);
}

#[tokio::test]
async fn rule_3_readers_that_skipped_the_fork_continue() {
    let history = Scripted::new();
    let hub = Hub::open(history.clone()).await.unwrap();
    let mut reader = hub.subscribe("a").await.unwrap();
    publish(&hub, "a", 1..4).await;
    assert_eq!(data(&mut reader, 3).await, ["1", "2", "3"]);
    publish(&hub, "b", 4..7).await;
    assert!(is_idle(&mut reader).await);
    // The last record that it received is right before the fork.
    history.fork(4);
    Publisher::new(history.clone()).publish("a", Event::message("new")).await.unwrap();
    let event = next(&mut reader).await;
    assert_eq!((event.event_type(), event.data()), ("message", "new"));
}

/// A hub that has seen six events. A failover lost the last three of them, which the hub does not know yet; one
/// more was published since, at 4.
async fn failed_over(history: &Scripted) -> (Hub, Publisher) {
    let hub = Hub::open(history.clone()).await.unwrap();
    publish(&hub, "a", 1..7).await;
    history.set_mute(true);
    history.fork(4);
    let publisher = Publisher::new(history.clone());
    publisher.publish("a", Event::message("new 4")).await.unwrap();
    (hub, publisher)
}

#[tokio::test]
async fn g4_the_first_reader_after_a_failover_misses_nothing() {
    for (number, foreign) in [None, Some("00000000000000aa-9"), Some("malformed")].into_iter().enumerate() {
        let history = Scripted::new();
        let (hub, publisher) = failed_over(&history).await;
        // The hub knows nothing about one topic, so it asks the history and detects the failover.
        let mut reader = hub.subscribe(["a", "never.seen"]).after(foreign).await.unwrap();
        assert!(history.asked().0 > 1);
        let at = hub.stats().head;
        assert_eq!(
            reader.gap().map(|gap| gap.resumed_at),
            foreign.map(|_| at),
            "what the notice names is there"
        );
        publisher.publish("a", Event::message("new 5")).await.unwrap();
        history.set_mute(false);
        if foreign.is_some() {
            let gap = next(&mut reader).await;
            assert_eq!((gap.event_type(), gap.last_event_id()), ("sse.gap", &*at.to_string()));
        }
        assert_eq!(data(&mut reader, 2).await, ["new 4", "new 5"], "{number}");
        publish(&hub, "never.seen", 6..7).await;
        assert_eq!(data(&mut reader, 1).await, ["6"]);
        assert!(is_idle(&mut reader).await);
        // The reader's own gap, if any, and none for the failover, of which it saw nothing.
        assert_eq!(hub.stats().gaps.values().sum::<u64>(), u64::from(foreign.is_some()));
    }
}

#[tokio::test]
async fn g4_a_replay_across_a_failover_sends_nothing_lost() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    for is_filtered in [false, true] {
        let mut subscribe = hub.subscribe("a").start(Start::Earliest);
        if is_filtered {
            subscribe = subscribe.filter(|_| true);
        }
        let mut reader = subscribe.await.unwrap();
        assert_eq!(data(&mut reader, 1).await, ["1"]);
        let before = hub.stats().head;
        history.fork(4);
        until(|| hub.stats().head.epoch() != before.epoch()).await;
        let publisher = Publisher::new(history.clone());
        publisher.publish("a", Event::message("new")).await.unwrap();
        assert_eq!(data(&mut reader, 3).await, ["2", "3", "new"]);
        assert!(is_idle(&mut reader).await);
        publish(&hub, "a", 5..11).await;
        assert_eq!(data(&mut reader, 6).await, ["5", "6", "7", "8", "9", "10"]);
    }
    assert_eq!(hub.stats().gaps.values().sum::<u64>(), 0);
}

#[tokio::test]
async fn an_earlier_state_is_told_although_a_failover_follows() {
    let history = Scripted::new();
    let hub = Hub::open(history.clone()).await.unwrap();
    publish(&hub, "state", 1..4).await;
    publish(&hub, "a", 4..7).await;
    let mut reader = hub.subscribe("a").backfill("state", Start::Earliest).await.unwrap();
    let before = hub.stats().head;
    history.fork(3);
    until(|| hub.stats().head.epoch() != before.epoch()).await;
    publish(&hub, "state", 3..4).await;
    assert_eq!(data(&mut reader, 3).await, ["1", "2", "3"]);
    assert!(is_idle(&mut reader).await);
}

#[tokio::test]
async fn a_reader_whom_the_history_refuses_takes_nobodys_place() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let ask = |last: Option<Cursor>| hub.subscribe("a").after(last).exclusive("page", Exclusive::TakeOver);
    let mut first = ask(None).await.unwrap();
    let old = Cursor::new(hub.stats().head.epoch(), 2);
    history.set_down(true);
    let refused = ask(Some(old)).await.unwrap();
    assert!(matches!(refused.refusal(), Some(EndReason::Unavailable)));
    assert!(is_idle(&mut first).await);
    history.set_down(false);
    publish(&hub, "a", 11..12).await;
    assert_eq!(data(&mut first, 1).await, ["11"]);
    // A reader that can read ends it.
    let mut second = ask(Some(old)).await.unwrap();
    assert!(within(first.next()).await.is_none());
    assert_eq!(data(&mut second, 1).await, ["3"]);
}

/// The `retry` of the keep-alive after the reader's events, in milliseconds.
async fn keep_alive(reader: Subscription) -> u64 {
    let mut reading = body::read(EventStream::new(reader));
    reading.retry().await;
    loop {
        let text = reading.next().await.expect("not ended");
        if let Some(millis) = text.strip_prefix("retry: ").and_then(|line| line.trim_end().parse().ok()) {
            return millis;
        }
    }
}

fn event(text: &str) -> Event {
    Event::message(text).retry(Duration::from_secs(1_800))
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_keep_alive_repeats_any_events_retry() {
    for hub in [
        Hub::memory(),
        Hub::builder().retention(Retention::default().events(1)).open(Scripted::new()).await.unwrap(),
    ] {
        let live = hub.subscribe("live").await.unwrap();
        hub.publish("live", event("live")).await.unwrap();
        assert_eq!(keep_alive(live).await, 1_800_000, "live");
        hub.publish("replayed", event("replayed")).await.unwrap();
        hub.publish("replayed", Event::message("newest")).await.unwrap();
        let replayed = hub.subscribe("replayed").start(Start::Earliest).await.unwrap();
        assert_eq!(keep_alive(replayed).await, 1_800_000, "from the history");
        let filtered = hub.subscribe("live").start(Start::Earliest).filter(|_| true).await.unwrap();
        assert_eq!(keep_alive(filtered).await, 1_800_000, "filtered");
        let state = hub.subscribe("other").backfill("live", Start::Earliest).await.unwrap();
        assert_eq!(keep_alive(state).await, 1_800_000, "as a state");
        let signalled = hub.subscribe("signals").await.unwrap();
        hub.signal("signals", event("typing")).unwrap();
        assert_eq!(keep_alive(signalled).await, 1_800_000, "as a signal");
    }
}

/// The process drops its data about records that a fork replaced.
mod fork {
    use super::*;

    async fn until_head(hub: &Hub, seq: u64) {
        within(async {
            while hub.stats().head.seq() != seq {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    #[tokio::test]
    async fn of_an_emptied_store_serves_wildcards_and_new_topics() {
        let history = Scripted::new();
        let publisher = Publisher::new(history.clone());
        for number in 0..20 {
            publisher.publish("a", Event::message(number.to_string())).await.unwrap();
        }
        // The window has nothing up to 14.
        history.trim(15);
        let hub = Hub::open(history.clone()).await.unwrap();
        let old = hub.stats().head;
        let mut live = hub.subscribe(Pattern::new(">").unwrap()).await.unwrap();
        assert!(is_idle(&mut live).await);
        history.trim(1);
        history.fork(1);
        until_head(&hub, 0).await;
        let mut readers = vec![live];
        for text in [">", "*", "new"] {
            let topics = Pattern::new(text).unwrap();
            let topics = || topics.clone();
            readers.push(hub.subscribe(topics()).await.unwrap());
            readers.push(hub.subscribe(topics()).start(Start::Earliest).await.unwrap());
            // A cursor of the lost store is a gap, and then the reader continues.
            let mut reader = hub.subscribe(topics()).after(old).await.unwrap();
            assert_eq!(next(&mut reader).await.event_type(), "sse.gap", "{text}");
            readers.push(reader);
        }
        publish(&hub, "new", 1..4).await;
        for reader in &mut readers {
            assert_eq!(data(reader, 3).await, ["1", "2", "3"], "{reader:?}");
        }
    }

    #[tokio::test]
    async fn that_loses_a_reopening_leaves_the_topic_finished() {
        for begins in [3, 4] {
            let history = Scripted::new();
            let hub = Hub::open(history.clone()).await.unwrap();
            publish(&hub, "a", 1..2).await;
            let finish = hub.finish("a").await.unwrap().cursor;
            publish(&hub, "other", 3..4).await;
            publish(&hub, "a", 4..5).await;
            let mut reading = hub.subscribe("a").after(finish).await.unwrap();
            assert_eq!(data(&mut reading, 1).await, ["4"]);
            history.fork(begins);
            until_head(&hub, begins - 1).await;
            let other = Hub::open(history.clone()).await.unwrap();
            for hub in [&hub, &other] {
                let reader = hub.subscribe("a").after(finish).await.unwrap();
                let status = sse_core::EventStream::new(reader).into_response().status();
                assert_eq!(status, 204, "a fork at {begins}");
            }
            // A reader that had passed the fork gets a gap notice, and then the end of the topic.
            assert_eq!(next(&mut reading).await.event_type(), "sse.gap");
            assert!(within(reading.next()).await.is_none());
        }
    }
}
