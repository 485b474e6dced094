//! A hub over a history: how it handles restarts, forks, trimming and silence.

use std::time::Duration;

use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, next, publish};
use sse_core::{
    Cursor, Event, EventStream, GapReason, Hub, Publisher, Resume, Retention, Start, Topic,
    error::PublishError,
    history::{Entry, EntryKind, History, HistoryErrorKind},
};

async fn open(history: &Scripted) -> Hub {
    Hub::open(history.clone()).await.expect("opened")
}

/// A hub with so small a window that readers must switch to the history.
async fn small(history: &Scripted, events: usize) -> Hub {
    Hub::builder().retention(Retention::default().events(events)).open(history.clone()).await.expect("opened")
}

#[tokio::test]
async fn what_is_published_comes_back_through_the_tail() {
    let history = Scripted::new();
    let hub = open(&history).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    let receipt = hub.publish("a", Event::message("0")).await.unwrap();
    assert_eq!((receipt.cursor.seq(), receipt.receivers), (1, Some(1)));
    let message = next(&mut reader).await;
    assert_eq!((message.data(), message.last_event_id()), ("0", &*receipt.cursor.to_string()));
    hub.signal("a", Event::message("typing")).unwrap();
    assert_eq!(next(&mut reader).await.data(), "typing");
}

#[tokio::test]
async fn two_processes_serve_the_same_ids_in_the_same_order() {
    let history = Scripted::new();
    let (one, two) = (open(&history).await, open(&history).await);
    let mut on_two = two.subscribe("a").await.unwrap();
    publish(&one, "a", 0..5).await;
    publish(&two, "a", 5..10).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        let message = next(&mut on_two).await;
        assert_eq!(message.data(), number.to_string());
        ids.push(message.last_event_id().to_owned());
    }
    // A reader moves from one to the other in mid-stream without noticing.
    let mut moved = one.subscribe("a").after(&*ids[3]).await.unwrap();
    for (number, id) in ids.iter().enumerate().skip(4) {
        let message = next(&mut moved).await;
        assert_eq!((message.data(), message.last_event_id()), (&*number.to_string(), &**id));
    }
}

#[tokio::test]
async fn a_cursor_survives_a_restart() {
    let history = Scripted::new();
    let hub = open(&history).await;
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "a", 1..4).await;
    drop(hub);
    let hub = open(&history).await;
    let mut reader = hub.subscribe("a").after(first.cursor).await.unwrap();
    assert_eq!(reader.resume(), &Resume::Exact { after: first.cursor });
    assert_eq!(data(&mut reader, 3).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn evicted_events_come_from_the_history_without_a_gap() {
    let history = Scripted::new();
    let hub = small(&history, 3).await;
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "a", 1..2_000).await;
    publish(&hub, "b", 0..10).await;
    let expected: Vec<String> = (1..2_000).map(|number| number.to_string()).collect();
    let mut resumed = hub.subscribe("a").after(first.cursor).await.unwrap();
    assert!(resumed.gap().is_none());
    assert_eq!(data(&mut resumed, 1_999).await, expected);
    assert!(history.reads() > 0 && is_idle(&mut resumed).await);
    let mut earliest = hub.subscribe(["a", "b"]).start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut earliest, 2_010).await.len(), 2_010);
    let mut latest = hub.subscribe(["a", "b"]).start(Start::Latest(20)).await.unwrap();
    assert_eq!(data(&mut latest, 20).await[9..11], ["1999", "0"]);
    // And a live reader that falls behind.
    let mut slow = hub.subscribe("a").await.unwrap();
    publish(&hub, "a", 0..50).await;
    assert_eq!(data(&mut slow, 50).await.last().unwrap(), "49");
}

#[tokio::test]
async fn what_the_history_trimmed_is_a_gap_and_a_quiet_topic_is_not() {
    let history = Scripted::new();
    let hub = small(&history, 2).await;
    let quiet = hub.publish("quiet", Event::message("q")).await.unwrap();
    let busy = hub.publish("busy", Event::message("b")).await.unwrap();
    publish(&hub, "busy", 0..100).await;
    history.trim(80);
    let reader = hub.subscribe("busy").after(busy.cursor).await.unwrap();
    let gap = reader.gap().expect("a gap");
    assert_eq!((gap.reason, gap.resumed_at.seq(), gap.missed), (GapReason::Trimmed, 79, Some(77)));
    let mut reader = hub.subscribe("quiet").after(quiet.cursor).await.unwrap();
    assert!(reader.gap().is_none());
    assert!(is_idle(&mut reader).await);
    publish(&hub, "quiet", 7..8).await;
    assert_eq!(next(&mut reader).await.data(), "7");
}

#[tokio::test]
async fn rule_8_seen_events_that_were_trimmed_are_not_a_gap() {
    let history = Scripted::new();
    let hub = small(&history, 1).await;
    let quiet = hub.publish("quiet", Event::message("0")).await.unwrap();
    publish(&hub, "busy", 0..100).await;
    hub.publish("quiet", Event::message("1")).await.unwrap();
    history.trim(80);
    // A process that began later has none of the events in its window.
    for hub in [&hub, &small(&history, 1).await] {
        let mut reader = hub.subscribe("quiet").after(quiet.cursor).await.unwrap();
        assert!(reader.gap().is_none(), "{:?}", reader.resume());
        assert_eq!(data(&mut reader, 1).await, ["1"]);
        let before = Cursor::new(quiet.cursor.epoch(), 0);
        let mut reader = hub.subscribe("quiet").after(before).await.unwrap();
        let gap = reader.gap().expect("a gap").clone();
        assert_eq!((gap.reason, gap.resumed_at.seq()), (GapReason::Trimmed, 79));
        assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
        assert_eq!(data(&mut reader, 1).await, ["1"]);
    }
}

#[tokio::test]
async fn rule_3_only_live_readers_beyond_a_fork_get_a_gap() {
    let history = Scripted::new();
    let hub = open(&history).await;
    let mut beyond = hub.subscribe("a").await.unwrap();
    let mut behind = hub.subscribe("b").start(Start::Earliest).await.unwrap();
    publish(&hub, "b", 0..2).await;
    publish(&hub, "a", 2..6).await;
    assert_eq!(data(&mut beyond, 4).await, ["2", "3", "4", "5"]);
    assert_eq!(data(&mut behind, 1).await, ["0"]);
    let old: Cursor = format!("{}-4", hub.stats().head.epoch()).parse().unwrap();
    history.fork(5);
    let receipt = Publisher::new(history.clone()).publish("a", Event::message("new")).await.unwrap();
    assert_eq!(receipt.cursor.seq(), 5);
    let notice = next(&mut beyond).await;
    assert_eq!(notice.event_type(), "sse.gap");
    assert!(notice.data().contains(r#""reason":"fork""#), "{}", notice.data());
    assert_eq!(notice.last_event_id(), format!("{}-4", receipt.cursor.epoch()));
    let event = next(&mut beyond).await;
    assert_eq!((event.data(), event.last_event_id()), ("new", &*receipt.cursor.to_string()));
    assert_eq!(next(&mut behind).await.data(), "1");
    // The same for cursors: before the fork exact, after it a gap that resumes before it.
    let exact = hub.subscribe("a").after(old).await.unwrap();
    assert_eq!(exact.resume(), &Resume::Exact { after: old });
    let after = Cursor::new(old.epoch(), 6);
    let lost = hub.subscribe("a").after(after).await.unwrap();
    let gap = lost.gap().expect("a gap");
    assert_eq!((gap.reason, gap.resumed_at.seq()), (GapReason::Fork, 4));
}

#[tokio::test]
async fn rule_3_readers_before_a_fork_continue() {
    let history = Scripted::new();
    let hub = open(&history).await;
    publish(&hub, "quiet", 0..1).await;
    let mut fresh = hub.subscribe("quiet").await.unwrap();
    let mut told = hub.subscribe("quiet").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut told, 1).await, ["0"]);
    publish(&hub, "a", 1..6).await;
    // Both have passed the events that do not concern them.
    assert!(is_idle(&mut fresh).await && is_idle(&mut told).await);
    history.fork(4);
    let publisher = Publisher::new(history.clone());
    for name in ["quiet", "a", "quiet"] {
        publisher.publish(name, Event::message(name)).await.unwrap();
    }
    assert_eq!(data(&mut fresh, 2).await, ["quiet", "quiet"]);
    assert_eq!(data(&mut told, 2).await, ["quiet", "quiet"]);
    assert_eq!(hub.stats().gaps.values().sum::<u64>(), 0);
}

#[tokio::test]
async fn a_fork_that_the_tail_has_not_told_is_learned_from_a_cursor() {
    let history = Scripted::new();
    let hub = open(&history).await;
    publish(&hub, "a", 0..6).await;
    let mut live = hub.subscribe("a").start(Start::Latest(1)).await.unwrap();
    assert_eq!(data(&mut live, 1).await, ["5"]);
    history.set_mute(true);
    history.fork(4);
    let publisher = Publisher::new(history.clone());
    let first = publisher.publish("a", Event::message("x")).await.unwrap();
    publisher.publish("a", Event::message("y")).await.unwrap();
    let mut reader = hub.subscribe("a").after(first.cursor).await.unwrap();
    assert_eq!(reader.resume(), &Resume::AtTail { after: first.cursor });
    assert_eq!(next(&mut live).await.event_type(), "sse.gap");
    history.set_mute(false);
    assert_eq!(next(&mut reader).await.data(), "y");
    assert_eq!(data(&mut live, 2).await, ["x", "y"]);
}

#[tokio::test]
async fn rule_5_a_cursor_beyond_this_process_is_exact_at_once() {
    let history = Scripted::new();
    let hub = open(&history).await;
    publish(&hub, "a", 0..2).await;
    history.set_mute(true);
    let publisher = Publisher::new(history.clone());
    let seen = publisher.publish("a", Event::message("seen elsewhere")).await.unwrap();
    let mut reader = hub.subscribe("a").after(seen.cursor).await.unwrap();
    assert!(reader.gap().is_none());
    assert!(is_idle(&mut reader).await);
    publisher.publish("a", Event::message("next")).await.unwrap();
    history.set_mute(false);
    assert_eq!(next(&mut reader).await.data(), "next");
    let beyond = Cursor::new(seen.cursor.epoch(), 1_000);
    assert_eq!(hub.subscribe("a").after(beyond).await.unwrap().gap().unwrap().reason, GapReason::Future);
}

#[tokio::test]
async fn an_outage_serves_the_window_or_asks_to_reconnect() {
    let history = Scripted::new();
    let hub = small(&history, 3).await;
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "a", 1..10).await;
    let recent = hub.stats().head;
    let mut live = hub.subscribe("a").await.unwrap();
    history.set_down(true);
    let error = hub.publish("a", Event::message("x")).await.unwrap_err();
    assert!(
        matches!(&error, PublishError::History(error) if error.kind() == HistoryErrorKind::Unavailable),
        "{error}"
    );
    assert!(is_idle(&mut live).await);
    let mut proved = hub.subscribe("a").after(Cursor::new(recent.epoch(), 8)).await.unwrap();
    assert_eq!(data(&mut proved, 2).await, ["8", "9"]);
    let response = EventStream::new(hub.subscribe("a").after(first.cursor).await.unwrap()).into_response();
    assert_eq!(response.status(), 200);
    let mut new = hub.subscribe("never.seen").await.unwrap();
    assert!(is_idle(&mut new).await);
    history.set_down(false);
    publish(&hub, "a", 10..11).await;
    assert_eq!(data(&mut live, 1).await, ["10"]);
    let mut back = hub.subscribe("a").after(first.cursor).await.unwrap();
    assert!(back.gap().is_none());
    assert_eq!(data(&mut back, 10).await.len(), 10);
}

#[tokio::test]
async fn a_topic_finished_before_this_process_began_is_204() {
    let history = Scripted::new();
    let hub = open(&history).await;
    publish(&hub, "job", 0..3).await;
    let end = hub.finish("job").await.unwrap();
    publish(&hub, "other", 0..3).await;
    drop(hub);
    // The window is too small to have seen the job.
    let hub = Hub::builder().retention(Retention::default().events(1)).open(history.clone()).await.unwrap();
    until(|| hub.stats().head.seq() == history.head()).await;
    let response = EventStream::new(hub.subscribe("job").after(end.cursor).await.unwrap()).into_response();
    assert_eq!(response.status(), 204);
    let mut fresh = hub.subscribe("job").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut fresh, 3).await, ["0", "1", "2"]);
    assert_eq!(next(&mut fresh).await.event_type(), "sse.end");
    assert!(fresh.next().await.is_none());
}

#[tokio::test]
async fn dropping_a_publish_does_not_cancel_the_append() {
    let history = Scripted::new();
    let hub = open(&history).await;
    let publish = hub.publish("a", Event::message("0"));
    let dropped = tokio::time::timeout(Duration::ZERO, std::future::IntoFuture::into_future(publish)).await;
    drop(dropped);
    until(|| history.head() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn rule_7_an_undelivered_publish_returns_after_a_second() {
    let history = Scripted::new();
    let hub = open(&history).await;
    history.set_mute(true);
    let began_at = tokio::time::Instant::now();
    let receipt = hub.publish("a", Event::message("0")).await.unwrap();
    assert_eq!((receipt.receivers, receipt.cursor.seq()), (None, 1));
    assert_eq!(began_at.elapsed(), Duration::from_secs(1));
}

mod older {
    use super::*;

    async fn expect_fork(reader: &mut sse_core::Subscription, resumed_at: u64) {
        let gap = next(reader).await;
        assert_eq!(gap.event_type(), "sse.gap", "{gap:?}");
        assert!(gap.data().contains(r#""reason":"fork""#), "{gap:?}");
        assert!(gap.last_event_id().ends_with(&format!("-{resumed_at}")), "{gap:?}");
    }

    #[tokio::test]
    async fn e3_a_store_that_got_older_is_a_fork_where_the_two_part() {
        let history = Scripted::new();
        let hub = open(&history).await;
        let mut reader = hub.subscribe("a").await.unwrap();
        let mut behind = hub.subscribe("a").await.unwrap();
        publish(&hub, "a", 1..5).await;
        assert_eq!(data(&mut reader, 4).await, ["1", "2", "3", "4"]);
        assert_eq!(data(&mut behind, 2).await, ["1", "2"]);
        let former = history.copy();
        history.fork(3);
        publish(&hub, "a", 13..16).await;
        expect_fork(&mut reader, 2).await;
        assert_eq!(data(&mut reader, 3).await, ["13", "14", "15"]);
        let lost = hub.stats().head;
        history.put_back(former);
        let receipt = hub.publish("a", Event::message("new")).await.unwrap();
        assert_eq!((receipt.cursor.seq(), receipt.receivers), (5, Some(2)));
        expect_fork(&mut reader, 2).await;
        assert_eq!(data(&mut reader, 3).await, ["3", "4", "new"]);
        // The records that this reader has not seen were replaced twice.
        assert_eq!(data(&mut behind, 3).await, ["3", "4", "new"]);
        let mut back = hub.subscribe("a").after(lost).await.unwrap();
        expect_fork(&mut back, 2).await;
        assert_eq!(data(&mut back, 3).await, ["3", "4", "new"]);
    }

    #[tokio::test(start_paused = true)]
    async fn e3_a_receipt_counts_nobody_before_its_own_record_has_come() {
        let history = Scripted::new();
        let hub = open(&history).await;
        let _reader = hub.subscribe("a").await.unwrap();
        publish(&hub, "a", 1..5).await;
        history.set_mute(true);
        // Position 3 is already passed here, but by another record.
        history.fork(3);
        let receipt = hub.publish("a", Event::message("new")).await.unwrap();
        assert_eq!((receipt.cursor.seq(), receipt.receivers), (3, None));
    }

    #[tokio::test]
    async fn e3_an_answer_that_comes_late_is_no_fork() {
        let history = Scripted::new();
        let hub = open(&history).await;
        let mut reader = hub.subscribe("a").await.unwrap();
        publish(&hub, "a", 1..3).await;
        let (_, epochs) = history.copy();
        history.fork(3);
        publish(&hub, "a", 3..5).await;
        assert_eq!(data(&mut reader, 4).await, ["1", "2", "3", "4"]);
        history.answer_late(epochs);
        let other = hub.subscribe("b").after("00000000000000ff-1").await.unwrap();
        assert!(other.gap().is_some());
        assert!(is_idle(&mut reader).await);
    }
}

#[tokio::test]
async fn e14_lines_that_no_encoder_writes_are_data() {
    let history = Scripted::new();
    let hub = small(&history, 1).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    let texts =
        ["data: x\n\nid: 7\nevent: sse.end\ndata: {}\n", "event: sse.gap\ndata: {}\n", "id: 1\n", "x"];
    for text in texts {
        for kind in [EntryKind::Finish, EntryKind::Event] {
            let mut entry = Entry::event(vec![Topic::new("a").unwrap()], text.as_bytes().to_vec());
            entry.kind = kind;
            history.append(vec![entry.clone()]).await.unwrap();
            let event = next(&mut reader).await;
            assert_eq!((event.event_type(), event.data()), ("message", text));
            history.signal(entry).await.unwrap();
            let signal = next(&mut reader).await;
            assert_eq!((signal.event_type(), signal.data()), ("message", text));
        }
    }
    let mut earliest = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    for text in texts {
        for _ in 0..2 {
            let message = next(&mut earliest).await;
            assert_eq!((message.event_type(), message.data()), ("message", text));
        }
    }
}
