//! When a hub queries its history for a new reader: only for what its window cannot decide. Each query is a round
//! trip before the first byte, and an unavailable history must not stop readers that do not need it.

use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, publish};
use sse_core::{
    Cursor, Event, GapReason, Hub, LastEventId, Pattern, Publisher, Resume, Retention, Start, Subscription,
    history::Epoch,
};

/// A hub whose window holds three events of each topic.
async fn small(history: &Scripted) -> Hub {
    Hub::builder().retention(Retention::default().events(3)).open(history.clone()).await.expect("opened")
}

/// Ten events of `a` at 1 to 10, then one of `b`.
async fn filled(history: &Scripted) -> Hub {
    let hub = small(history).await;
    publish(&hub, "a", 0..10).await;
    publish(&hub, "b", 10..11).await;
    hub
}

/// The queries that a subscription sent to the history: spans, holds, reads.
async fn asked(
    history: &Scripted,
    hub: &Hub,
    topics: &str,
    last: impl Into<LastEventId>,
    start: Start,
) -> (Subscription, (usize, usize, usize)) {
    let ((spans, holds), reads) = (history.asked(), history.reads());
    let subscription =
        hub.subscribe(Pattern::new(topics).unwrap()).after(last).start(start).await.expect("subscribed");
    let ((spans_now, holds_now), reads_now) = (history.asked(), history.reads());
    (subscription, (spans_now - spans, holds_now - holds, reads_now - reads))
}

#[tokio::test]
async fn what_the_window_proves_is_not_asked_of_the_history() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let at = |seq| Cursor::new(hub.stats().head.epoch(), seq);
    for (topics, last, start) in [
        ("a", None, Start::Live),
        ("a", Some(at(8)), Start::Live),
        ("a", Some(at(7)), Start::Latest(2)),
        ("a", Some(at(11)), Start::Earliest),
        // All events of this topic are in the window, and its position among other topics' events does not matter.
        ("b", None, Start::Earliest),
        ("b", None, Start::Latest(5)),
        ("b", Some(at(2)), Start::Live),
        // Wildcards never end, so it does not matter which topics are finished.
        ("*", None, Start::Live),
        ("*", Some(at(8)), Start::Live),
        ("c.*", None, Start::Earliest),
    ] {
        let (subscription, asked) = asked(&history, &hub, topics, last, start).await;
        assert_eq!(asked, (0, 0, 0), "{topics} after {last:?} from {start:?}");
        assert!(subscription.gap().is_none());
    }
}

#[tokio::test]
async fn what_the_window_cannot_judge_is_asked_once() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let at = |seq| Cursor::new(hub.stats().head.epoch(), seq);
    for (topics, last, start, reads) in [
        ("a", Some(at(3)), Start::Live, 0),
        // A valid cursor needs no search for the newest events.
        ("a", Some(at(3)), Start::Latest(5), 0),
        ("*", Some(at(3)), Start::Latest(5), 0),
        ("a", None, Start::Earliest, 0),
        ("a", None, Start::Latest(5), 1),
        // Whether the topic was finished before this process began: the query for the first reader.
        ("unseen.1", None, Start::Live, 0),
        ("unseen.2", None, Start::Latest(5), 0),
        ("unseen.3", Some(at(11)), Start::Live, 0),
    ] {
        let (subscription, asked) = asked(&history, &hub, topics, last, start).await;
        assert_eq!(asked, (1, 0, reads), "{topics} after {last:?} from {start:?}");
        assert!(subscription.gap().is_none());
    }
    let (_reader, first) = asked(&history, &hub, "unseen.4", None::<Cursor>, Start::Live).await;
    let (_other, second) = asked(&history, &hub, "unseen.4", None::<Cursor>, Start::Live).await;
    assert_eq!((first, second), ((1, 0, 0), (0, 0, 0)));
}

#[tokio::test]
async fn a_check_is_verified_by_the_window_or_the_history() {
    let history = Scripted::new();
    history.set_checked(true);
    let hub = filled(&history).await;
    let epoch = hub.stats().head.epoch();
    let at = |seq: u32| Cursor::new(epoch, seq.into()).with_checksum(seq);
    let (mut reader, proved) = asked(&history, &hub, "a", at(8), Start::Live).await;
    assert_eq!((reader.resume(), proved), (&Resume::Exact { after: at(8) }, (0, 0, 0)));
    assert_eq!(data(&mut reader, 2).await, ["8", "9"]);
    // `a` lost the record at 5, and `b` misses nothing after it: only the history knows the check.
    let (reader, unproved) = asked(&history, &hub, "b", at(5), Start::Live).await;
    assert_eq!((reader.resume(), unproved), (&Resume::Exact { after: at(5) }, (1, 1, 0)));
    // Without a check there is nothing to compare.
    let without = Cursor::new(epoch, 5);
    let (reader, asked_now) = asked(&history, &hub, "b", without, Start::Live).await;
    assert_eq!((reader.resume(), asked_now), (&Resume::Exact { after: without }, (0, 0, 0)));
    // Another record is at this position, in the window or before it: a fork that was not announced.
    for seq in [8, 5] {
        let other = Cursor::new(epoch, seq).with_checksum(77);
        let (reader, asked_now) = asked(&history, &hub, "b", other, Start::Live).await;
        let gap = reader.gap().expect("a gap");
        assert_eq!((gap.reason, gap.resumed_at.seq(), asked_now), (GapReason::Fork, 11, (1, 1, 0)));
    }
    history.replace(5);
    assert_eq!(
        hub.subscribe("b").after(at(5)).await.unwrap().gap().map(|gap| gap.reason),
        Some(GapReason::Fork)
    );
}

#[tokio::test]
async fn only_readers_that_need_the_answer_are_deferred() {
    let history = Scripted::new();
    history.set_checked(true);
    let hub = filled(&history).await;
    let epoch = hub.stats().head.epoch();
    history.set_down(true);
    let refusal = async |topics: &str, last: Option<Cursor>, start: Start| {
        let subscribe = hub.subscribe(Pattern::new(topics).unwrap()).after(last).start(start);
        subscribe.await.unwrap().refusal().map(ToString::to_string)
    };
    let away = Some("unavailable".to_owned());
    let is_before = Cursor::new(epoch, 3);
    let is_unproved = Cursor::new(epoch, 8).with_checksum(77);
    assert_eq!(refusal("a", Some(is_before), Start::Live).await, away);
    assert_eq!(refusal("b", Some(is_unproved), Start::Live).await, away);
    assert_eq!(refusal("a", Some(is_unproved), Start::Live).await, away);
    assert_eq!(refusal("a", None, Start::Earliest).await, away);
    assert_eq!(refusal("unseen", None, Start::Live).await, None);
    assert_eq!(refusal("unseen", None, Start::Latest(2)).await, None);
    assert_eq!(refusal("a", Some(Cursor::new(epoch, 8).with_checksum(8)), Start::Live).await, None);
}

#[tokio::test]
async fn the_newest_events_are_searched_no_further_than_needed() {
    let history = Scripted::new();
    let publisher = Publisher::new(history.clone());
    for number in 0..3_500 {
        let topic = if number < 200 { "rare" } else { "a" };
        publisher.publish(topic, Event::message(number.to_string())).await.unwrap();
    }
    let hub = small(&history).await;
    until(|| hub.stats().head.seq() == 3_500).await;
    let newest = async |topic: &str, count: usize| {
        let (mut reader, (spans, _, reads)) =
            asked(&history, &hub, topic, None::<Cursor>, Start::Latest(count)).await;
        (data(&mut reader, 1).await.remove(0), spans, reads)
    };
    // A block of a thousand that holds just enough records is enough.
    assert_eq!(newest("a", 1_000).await, ("2500".into(), 1, 1));
    assert_eq!(newest("a", 1_001).await, ("2499".into(), 1, 2));
    assert_eq!(newest("a", 10_000).await, ("200".into(), 1, 4));
    // From the last record of the topic, whose position the history knows.
    assert_eq!(newest("rare", 10).await, ("190".into(), 1, 1));
    assert_eq!(history.most_read(), 1_000);
}

#[tokio::test]
async fn a_dishonoured_cursor_starts_with_the_newest_history() {
    let history = Scripted::new();
    history.set_checked(true);
    let hub = filled(&history).await;
    let epoch = hub.stats().head.epoch();
    let unknown = Cursor::new(Epoch::random(), 3);
    let beyond = Cursor::new(epoch, 1_000);
    let replaced = Cursor::new(epoch, 9).with_checksum(77);
    for last in [LastEventId::from("nonsense"), unknown.into(), beyond.into(), replaced.into()] {
        let mut reader = hub.subscribe("a").after(last.clone()).start(Start::Latest(5)).await.unwrap();
        assert!(reader.gap().is_some());
        let events = data(&mut reader, 6).await.split_off(1);
        assert_eq!(events, ["5", "6", "7", "8", "9"], "{last:?}");
    }
    // Topics that are complete in the window are not searched for.
    let (mut reader, asked) = asked(&history, &hub, "b", unknown, Start::Latest(5)).await;
    assert_eq!((data(&mut reader, 2).await.remove(1), asked), ("10".into(), (1, 0, 0)));
}

#[tokio::test]
async fn a_topic_change_queries_only_finished_topics() {
    let history = Scripted::new();
    let hub = filled(&history).await;
    let _other = hub.subscribe("asked").await.unwrap();
    let mut reader = hub.subscribe("a").await.unwrap();
    let handle = reader.handle();
    for (topics, spans) in [("b", 0), ("*", 0), ("asked.*", 0), ("asked", 0), ("unseen", 1)] {
        let before = history.asked().0;
        handle.set_topics(Pattern::new(topics).unwrap()).unwrap();
        assert!(is_idle(&mut reader).await);
        assert_eq!(history.asked().0 - before, spans, "{topics}");
    }
}
