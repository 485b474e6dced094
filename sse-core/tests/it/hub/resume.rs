//! The rules of resume, on a hub in memory.

use crate::common::reader::{data, is_idle, next, publish};
use crate::common::{reader, requests};
use futures_util::StreamExt as _;
use sse_core::{Event, GapReason, Hub, LastEventId, Pattern, Resume, Retention, Start};

fn keeping(events: usize) -> Hub {
    Hub::builder().retention(Retention::default().events(events)).memory()
}

#[tokio::test]
async fn a_new_reader_gets_what_is_published_from_now_on() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..3).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    assert_eq!(reader.resume(), &Resume::Fresh);
    assert!(is_idle(&mut reader).await);
    publish(&hub, "a", 3..5).await;
    assert_eq!(data(&mut reader, 2).await, ["3", "4"]);
}

#[tokio::test]
async fn start_says_where_a_reader_without_a_cursor_begins() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..3).await;
    publish(&hub, "b", 3..6).await;
    let mut earliest = hub.subscribe(["a", "b"]).start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut earliest, 6).await, ["0", "1", "2", "3", "4", "5"]);
    let mut latest = hub.subscribe(["a", "b"]).start(Start::Latest(4)).await.unwrap();
    assert_eq!(data(&mut latest, 4).await, ["2", "3", "4", "5"]);
    let mut latest = hub.subscribe("a").start(Start::Latest(2)).await.unwrap();
    assert_eq!(data(&mut latest, 2).await, ["1", "2"]);
    let mut none = hub.subscribe("a").start(Start::Latest(0)).await.unwrap();
    assert!(is_idle(&mut none).await);
}

#[tokio::test]
async fn earliest_is_what_is_kept_and_no_gap() {
    let hub = keeping(2);
    publish(&hub, "a", 0..5).await;
    publish(&hub, "b", 5..6).await;
    let mut reader = hub.subscribe(["a", "b"]).start(Start::Earliest).await.unwrap();
    assert_eq!(reader.resume(), &Resume::Fresh);
    assert_eq!(data(&mut reader, 3).await, ["3", "4", "5"]);
}

#[tokio::test]
async fn topics_trimmed_before_the_start_are_not_a_gap() {
    let hub = Hub::builder().retention(Retention::default().events(2)).memory();
    publish(&hub, "a", 0..2).await;
    publish(&hub, "b", 0..8).await;
    for (topics, start, count) in [
        (vec!["a", "b"], Start::Earliest, 4),
        (vec!["a", "b"], Start::Latest(3), 3),
        (vec!["*"], Start::Earliest, 4),
    ] {
        let topics: Vec<_> = topics.iter().map(|text| Pattern::new(text).unwrap()).collect();
        let mut reader = hub.subscribe(&topics).start(start).await.unwrap();
        let expected = &["0", "1", "6", "7"][4 - count..];
        assert_eq!(data(&mut reader, count).await, expected, "{topics:?} from {start:?}");
        assert!(is_idle(&mut reader).await);
    }
    // Events lost from then on are a gap.
    let mut slow = hub.subscribe(["a", "b"]).start(Start::Earliest).await.unwrap();
    publish(&hub, "b", 8..9).await;
    assert_eq!(next(&mut slow).await.event_type(), "sse.gap");
    assert_eq!(data(&mut slow, 2).await, ["7", "8"]);
}

#[tokio::test]
async fn g4_a_cursor_resumes_exactly_after_it() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..5).await;
    let receipt = hub.publish("a", Event::message("mark")).await.unwrap();
    publish(&hub, "a", 5..8).await;
    let mut reader = hub.subscribe("a").after(receipt.cursor).await.unwrap();
    assert_eq!(reader.resume(), &Resume::Exact { after: receipt.cursor });
    assert_eq!(data(&mut reader, 3).await, ["5", "6", "7"]);
}

#[tokio::test]
async fn g4_a_cursor_with_a_line_end_from_a_file_resumes_exactly() {
    let hub = Hub::memory();
    let receipt = hub.publish("a", Event::message("mark")).await.unwrap();
    publish(&hub, "a", 0..1).await;
    for (before, after) in [("", "\n"), ("", "\r\n"), (" ", "\n\n")] {
        let text = format!("{before}{}{after}", receipt.cursor);
        for last in [LastEventId::from(text.as_str()), text.clone().into(), Some(text.clone()).into()] {
            let mut reader = hub.subscribe("a").after(last).await.unwrap();
            assert_eq!(reader.resume(), &Resume::Exact { after: receipt.cursor }, "{text:?}");
            assert_eq!(data(&mut reader, 1).await, ["0"]);
        }
        let query =
            format!("last_event_id={}", text.replace(' ', "%20").replace('\n', "%0A").replace('\r', "%0D"));
        let request = requests::get(&format!("/events?{query}"), &[]);
        let reader = hub.subscribe("a").request(&request).await;
        assert_eq!(reader.unwrap().resume(), &Resume::Exact { after: receipt.cursor }, "{query}");
    }
    // A cursor replaces that of the request, whatever the order.
    let request = requests::get("/", &[("last-event-id", "elsewhere")]);
    let reader = hub.subscribe("a").after(receipt.cursor).request(&request).await.unwrap();
    assert_eq!(reader.resume(), &Resume::Exact { after: receipt.cursor });
    let reader = hub.subscribe("a").request(request).after(None::<&str>).await.unwrap();
    assert_eq!(reader.resume(), &Resume::Fresh);
    // A value that a line end divides is not a cursor.
    let reader = hub.subscribe("a").after(format!("{}\n{}", receipt.cursor, receipt.cursor)).await.unwrap();
    assert!(reader.gap().is_some());
}

#[tokio::test]
async fn a_cursor_at_the_tail_has_nothing_to_catch_up() {
    let hub = Hub::memory();
    let receipt = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "other", 0..5).await;
    let mut reader = hub.subscribe("a").after(receipt.cursor).await.unwrap();
    assert_eq!(reader.resume(), &Resume::AtTail { after: receipt.cursor });
    assert!(is_idle(&mut reader).await);
}

#[tokio::test]
async fn g4_trimmed_cursor_gets_gap_first() {
    let hub = keeping(3);
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "a", 1..10).await;
    let mut reader = hub.subscribe("a").after(first.cursor).await.unwrap();
    let gap = reader.gap().expect("a gap").clone();
    assert_eq!((gap.reason, gap.resumed_at.seq(), gap.missed), (GapReason::Trimmed, 7, Some(6)));
    assert_eq!(gap.requested, Some(first.cursor.to_string()));
    let notice = next(&mut reader).await;
    assert_eq!((notice.event_type(), notice.last_event_id()), ("sse.gap", &*gap.resumed_at.to_string()));
    let expected = format!(
        r#"{{"reason":"trimmed","requested":"{}","resumed_at":"{}","missed":6}}"#,
        first.cursor, gap.resumed_at
    );
    assert_eq!(notice.data(), expected);
    // Our own client reads the server's gap from it.
    assert_eq!(notice.gap(), Some(gap));
    assert_eq!(next(&mut reader).await.gap(), None);
    assert_eq!(data(&mut reader, 2).await, ["8", "9"]);
}

#[tokio::test]
async fn the_place_before_the_oldest_event_is_a_good_cursor() {
    let hub = keeping(3);
    let mut receipts = Vec::new();
    for number in 0..5 {
        receipts.push(hub.publish("a", Event::message(number.to_string())).await.unwrap());
    }
    let mut reader = hub.subscribe("a").after(receipts[1].cursor).await.unwrap();
    assert_eq!(reader.resume(), &Resume::Exact { after: receipts[1].cursor });
    assert_eq!(data(&mut reader, 3).await, ["2", "3", "4"]);
}

#[tokio::test]
async fn a_quiet_topic_is_exact_although_others_were_evicted() {
    let hub = keeping(2);
    let quiet = hub.publish("quiet", Event::message("q")).await.unwrap();
    publish(&hub, "busy", 0..100).await;
    let mut reader = hub.subscribe("quiet").after(quiet.cursor).await.unwrap();
    assert!(reader.gap().is_none());
    publish(&hub, "quiet", 7..8).await;
    assert_eq!(data(&mut reader, 1).await, ["7"]);
    // Both topics: an event of a requested topic was evicted.
    let reader = hub.subscribe(["quiet", "busy"]).after(quiet.cursor).await.unwrap();
    assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Trimmed));
}

#[tokio::test]
async fn g8_anything_else_is_a_gap_with_its_reason() {
    let hub = Hub::memory();
    let receipt = hub.publish("a", Event::message("0")).await.unwrap();
    let other = Hub::memory().publish("a", Event::message("0")).await.unwrap();
    let future = format!("{}-{}", receipt.cursor.epoch(), 1_000_000);
    let cases = [
        (other.cursor.to_string(), GapReason::Epoch),
        (future, GapReason::Future),
        ("nonsense".into(), GapReason::Malformed),
        ("é€😀".into(), GapReason::Malformed),
        ("0-0".into(), GapReason::Malformed),
        ("x".repeat(65_536), GapReason::Malformed),
        (format!("{}-01", receipt.cursor.epoch()), GapReason::Malformed),
        ("\u{1}\u{7f}".into(), GapReason::Malformed),
    ];
    for (text, reason) in cases {
        let mut reader = hub.subscribe("a").after(&*text).start(Start::Earliest).await.unwrap();
        let gap = reader.gap().unwrap_or_else(|| panic!("no gap for {text:.40}")).clone();
        assert_eq!((gap.reason, gap.missed), (reason, None), "{text:.40}");
        assert_eq!(next(&mut reader).await.gap(), Some(gap));
        assert_eq!(next(&mut reader).await.data(), "0");
    }
}

#[tokio::test]
async fn a_subscription_is_a_stream_of_frames_too() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..2).await;
    hub.finish("a").await.unwrap();
    let frames = hub.subscribe("a").start(Start::Earliest).await.unwrap().frames();
    let told: Vec<_> = frames.map(|frame| reader::message(frame.as_ref()).data().to_owned()).collect().await;
    assert_eq!(told, ["0", "1", r#"{"topic":"a"}"#]);
}

#[tokio::test]
async fn an_empty_last_event_id_is_none() {
    let hub = Hub::memory();
    assert_eq!(hub.subscribe("a").after("").await.unwrap().resume(), &Resume::Fresh);
    assert_eq!(hub.subscribe("a").after(" \t").await.unwrap().resume(), &Resume::Fresh);
    assert_eq!(hub.subscribe("a").after(None::<String>).await.unwrap().resume(), &Resume::Fresh);
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed() {
    let hub = keeping(4);
    let mut reader = hub.subscribe("a").await.unwrap();
    publish(&hub, "a", 0..10).await;
    let notice = next(&mut reader).await;
    assert_eq!(notice.event_type(), "sse.gap");
    assert!(notice.data().contains(r#""missed":6"#), "{}", notice.data());
    assert_eq!(data(&mut reader, 4).await, ["6", "7", "8", "9"]);
    assert_eq!(hub.stats().gaps["trimmed"], 1);
}

#[tokio::test]
async fn g3_an_event_of_several_topics_comes_once_and_in_order() {
    let hub = Hub::memory();
    let mut both = hub.subscribe(["a", "b"]).await.unwrap();
    let mut wild = hub.subscribe(Pattern::new(">").unwrap()).await.unwrap();
    publish(&hub, "a", 0..1).await;
    let receipt = hub.publish(["b", "a", "b"], Event::message("both")).await.unwrap();
    assert_eq!(receipt.receivers, Some(2));
    publish(&hub, "b", 1..2).await;
    assert_eq!(data(&mut both, 3).await, ["0", "both", "1"]);
    assert_eq!(data(&mut wild, 3).await, ["0", "both", "1"]);
    assert!(is_idle(&mut both).await);
}

#[tokio::test]
async fn wildcards_see_topics_that_appear_later() {
    let hub = Hub::memory();
    let mut one = hub.subscribe(Pattern::new("prices.*").unwrap()).await.unwrap();
    let mut any = hub.subscribe(Pattern::new("prices.>").unwrap()).await.unwrap();
    publish(&hub, "prices.eur", 0..1).await;
    publish(&hub, "prices.usd.spot", 1..2).await;
    publish(&hub, "news", 2..3).await;
    publish(&hub, "prices.gbp", 3..4).await;
    assert_eq!(data(&mut one, 2).await, ["0", "3"]);
    assert_eq!(data(&mut any, 3).await, ["0", "1", "3"]);
    assert!(is_idle(&mut one).await && is_idle(&mut any).await);
}

#[tokio::test]
async fn a_wildcard_reader_far_behind_merges_all_its_topics() {
    let hub = Hub::memory();
    let mark = hub.publish("x.start", Event::message("mark")).await.unwrap();
    let mut stays = hub.subscribe(Pattern::new("x.*").unwrap()).await.unwrap();
    let mut expected = Vec::new();
    for number in 0..1_000_u64 {
        publish(&hub, &format!("x.{}", number % 7), number..number + 1).await;
        expected.push(number.to_string());
    }
    let mut resumed = hub.subscribe(Pattern::new("x.*").unwrap()).after(mark.cursor).await.unwrap();
    assert_eq!(data(&mut resumed, 1_000).await, expected);
    assert_eq!(data(&mut stays, 1_000).await, expected);
}

#[tokio::test]
async fn signals_reach_the_readers_of_now_and_are_not_kept() {
    let hub = Hub::memory();
    assert_eq!(hub.signal("a", Event::message("nobody")).unwrap(), 0);
    let mut exact = hub.subscribe("a").await.unwrap();
    let mut wild = hub.subscribe(Pattern::new("*").unwrap()).await.unwrap();
    assert_eq!(hub.signal("a", Event::message("typing").event("typing")).unwrap(), 2);
    for reader in [&mut exact, &mut wild] {
        let signal = next(reader).await;
        assert_eq!((signal.event_type(), signal.data(), signal.last_event_id()), ("typing", "typing", ""));
        assert!(is_idle(reader).await);
    }
    let mut late = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    assert!(is_idle(&mut late).await);
}

#[tokio::test]
async fn an_added_topics_backfill_comes_first_without_ids() {
    let hub = Hub::memory();
    publish(&hub, "b", 10..13).await;
    let mark = hub.publish("a", Event::message("mark")).await.unwrap();
    publish(&hub, "a", 1..2).await;
    publish(&hub, "b", 13..14).await;
    let mut reader = hub.subscribe("a").after(mark.cursor).backfill("b", Start::Latest(2)).await.unwrap();
    for expected in ["11", "12"] {
        let message = next(&mut reader).await;
        assert_eq!((message.data(), message.last_event_id()), (expected, ""));
    }
    assert_eq!(data(&mut reader, 2).await, ["1", "13"]);
}

/// More topics than can be merged under one lock.
mod many_topics {
    use super::*;

    const TOPICS: u64 = 3_000;

    async fn crowded(retention: Retention) -> Hub {
        let hub = Hub::builder().retention(retention).memory();
        for number in 0..TOPICS {
            hub.publish(format!("t.{number}"), Event::message("old")).await.unwrap();
        }
        hub
    }

    async fn publish_some(hub: &Hub) -> Vec<String> {
        let mut all = Vec::new();
        for number in 0..500_u64 {
            let topic = format!("t.{}", number * 7 % TOPICS);
            let data = number.to_string();
            hub.publish([topic.as_str(), "t.0"], Event::message(&data)).await.unwrap();
            all.push(data);
        }
        all
    }

    #[tokio::test]
    async fn g3_g4_are_caught_up_in_order() {
        let hub = crowded(Retention::default()).await;
        let cursor = hub.stats().head;
        let mut behind = hub.subscribe(Pattern::new(">").unwrap()).await.unwrap();
        let all = publish_some(&hub).await;
        assert_eq!(data(&mut behind, all.len()).await, all);
        let mut resumed = hub.subscribe(Pattern::new(">").unwrap()).after(cursor).await.unwrap();
        assert_eq!(data(&mut resumed, all.len()).await, all);
        assert!(is_idle(&mut resumed).await);
        let is_even = |event: &sse_core::EventView<'_>| event.data().ends_with(['0', '2', '4', '6', '8']);
        let mut filtered =
            hub.subscribe(Pattern::new(">").unwrap()).after(cursor).filter(is_even).await.unwrap();
        let even: Vec<_> = all.iter().step_by(2).cloned().collect();
        assert_eq!(data(&mut filtered, even.len()).await, even);
        // The last event of each topic, and one more for each time that `t.0` is among them.
        let mut earliest = hub.subscribe(Pattern::new("t.*").unwrap()).start(Start::Earliest).await.unwrap();
        assert_eq!(data(&mut earliest, 3_000).await, vec!["old"; 3_000]);
        assert_eq!(data(&mut earliest, all.len()).await, all);
        publish(&hub, "new", 1..3).await;
        for reader in [&mut behind, &mut resumed] {
            assert_eq!(data(reader, 2).await, ["1", "2"]);
        }
    }

    #[tokio::test]
    async fn g4_that_lost_an_event_are_a_gap() {
        let hub = crowded(Retention::default().events(1)).await;
        let cursor = hub.stats().head;
        let mut behind = hub.subscribe(Pattern::new(">").unwrap()).await.unwrap();
        publish_some(&hub).await;
        for reader in
            [&mut behind, &mut hub.subscribe(Pattern::new(">").unwrap()).after(cursor).await.unwrap()]
        {
            assert_eq!(next(reader).await.event_type(), "sse.gap");
            assert_eq!(data(reader, 1).await, ["499"]);
            assert!(is_idle(reader).await);
        }
    }
}
