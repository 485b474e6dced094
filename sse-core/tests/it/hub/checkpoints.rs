//! How a hub reports a reader's position: checkpoints and ends, each with an id where it advances the reader.

use std::time::Duration;

use crate::common::body::{Reading, read};
use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{next, publish, within};
use crate::common::requests;
use sse_core::{
    Event, EventStream, Exclusive, GapReason, Hub, KeepAlive, Lease, Pattern, Resume, Retention, Shutdown,
    Start, Subscribe,
};

/// The blocks before the next keep-alive that is not a checkpoint.
async fn blocks(reading: &mut Reading) -> Vec<String> {
    reading.retry().await;
    let mut blocks = Vec::new();
    while let Some(text) = reading.next().await
        && !text.starts_with("retry: ")
    {
        blocks.push(text);
    }
    blocks
}

#[tokio::test(start_paused = true)]
async fn a_new_reader_has_a_cursor_before_earlier_state() {
    let hub = Hub::memory();
    publish(&hub, "state", 0..2).await;
    let reader = hub.subscribe("a").backfill("state", Start::Latest(1)).await.unwrap();
    let mut reading = read(EventStream::new(reader));
    let head = hub.stats().head;
    assert_eq!(blocks(&mut reading).await, ["data: 1\n\n"]);
    assert_eq!(reading.first_cursor, Some(head.to_string()));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_topic_has_its_id_after_a_gap() {
    let hub = Hub::builder().retention(Retention::default().age(Duration::from_secs(60))).memory();
    let keeps_the_hub_busy = hub.subscribe("other").await.unwrap();
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "a", 1..3).await;
    let end = hub.finish("a").await.unwrap().cursor.to_string();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // All events are trimmed, but the hub remembers that the topic is finished.
    let mut reader = hub.subscribe("a").after(first.cursor).await.unwrap();
    assert!(matches!(reader.resume(), Resume::Gap(gap) if gap.resumed_at.to_string() == end));
    for expected in ["sse.gap", "sse.end"] {
        let message = next(&mut reader).await;
        assert_eq!((message.event_type(), message.last_event_id()), (expected, &*end));
    }
    assert!(reader.next().await.is_none());
    drop(keeps_the_hub_busy);
}

#[tokio::test(start_paused = true)]
async fn an_ignored_eviction_is_a_gap_for_another_reader() {
    let hub = Hub::builder().retention(Retention::default().events(2)).memory();
    let mut slow = read(EventStream::new(hub.subscribe(["a", "b"]).await.unwrap()));
    publish(&hub, "a", 0..2).await;
    publish(&hub, "b", 0..500).await;
    // A new reader asks for the retained events, from the same position on.
    let new = hub.subscribe(["a", "b"]).start(Start::Earliest).await.unwrap();
    let mut new = read(EventStream::new(new));
    for reading in [&mut new, &mut slow] {
        reading.retry().await;
    }
    let kept = new.next().await.unwrap();
    assert_eq!(kept.matches("data: ").count(), 4, "{kept}");
    assert!(slow.next().await.unwrap().starts_with("event: sse.gap\n"));
}

/// A new reader's cursor in its first bytes, without which it would miss events published while it is disconnected.
mod first_cursor {
    use super::*;

    /// The id in a response's first bytes, after which the reader is cut off.
    async fn cut(subscribe: Subscribe) -> Option<String> {
        let mut reading = read(EventStream::new(subscribe.await.expect("subscribed")).keep_alive(None));
        reading.retry().await;
        reading.first_cursor
    }

    /// Reads from this cursor up to the event published last.
    async fn back(subscribe: Subscribe, cursor: &str) -> Vec<String> {
        let mut reader = subscribe.after(cursor).await.expect("subscribed");
        assert!(
            matches!(reader.resume(), Resume::Exact { .. } | Resume::AtTail { .. }),
            "{:?}",
            reader.resume()
        );
        let mut data = Vec::new();
        while data.last().is_none_or(|last| last != "last") {
            data.push(next(&mut reader).await.data().to_owned());
        }
        data
    }

    #[tokio::test(start_paused = true)]
    async fn it_names_the_place_from_which_the_reader_reads() {
        let starts =
            [(Start::Live, &[][..]), (Start::Earliest, &["0", "1", "2"]), (Start::Latest(2), &["1", "2"])];
        for (start, before) in starts {
            let hub = Hub::memory();
            publish(&hub, "a", 0..3).await;
            // The head advances between the subscription and its first bytes.
            let subscription = hub.subscribe("a").start(start).await.unwrap();
            publish(&hub, "a", 3..4).await;
            let mut reading = read(EventStream::new(subscription).keep_alive(None));
            reading.retry().await;
            let cursor = reading.first_cursor.expect("a cursor");
            hub.publish("a", Event::message("last")).await.unwrap();
            let data = back(hub.subscribe("a").start(start), &cursor).await;
            assert_eq!(data, [before, &["3", "last"]].concat(), "{start:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn earlier_evictions_are_a_gap_only_if_requested() {
        let hub = Hub::builder().retention(Retention::default().events(2)).memory();
        publish(&hub, "a", 0..1).await;
        publish(&hub, "b", 1..9).await;
        let one = cut(hub.subscribe("b").start(Start::Earliest)).await.expect("a cursor");
        let both = cut(hub.subscribe(["a", "b"]).start(Start::Earliest)).await.expect("a cursor");
        hub.publish("a", Event::message("last")).await.unwrap();
        assert_eq!(back(hub.subscribe(["a", "b"]), &one).await, ["7", "8", "last"]);
        // An event of `b` was evicted after this position: never silently.
        let reader = hub.subscribe(["a", "b"]).after(both).await.unwrap();
        assert!(reader.gap().is_some_and(|gap| gap.reason == GapReason::Trimmed), "{:?}", reader.resume());
    }

    #[tokio::test(start_paused = true)]
    async fn a_filtered_or_conflating_reader_has_one() {
        let hub = Hub::memory();
        let filtered = || hub.subscribe("a").filter(|event| event.data() == "last");
        let cursor = cut(filtered()).await.expect("a cursor");
        publish(&hub, "a", 0..300).await;
        hub.publish("a", Event::message("last")).await.unwrap();
        assert_eq!(back(filtered(), &cursor).await, ["last"]);
        let conflating = || hub.subscribe("a").conflate_by(|_| Some(()));
        assert_eq!(back(conflating(), &cursor).await, ["last"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_ends_of_finished_topics_come_after_it() {
        let hub = Hub::memory();
        publish(&hub, "a", 0..2).await;
        let first = hub.finish("a").await.unwrap().cursor;
        publish(&hub, "other", 0..3).await;
        let second = hub.finish("b").await.unwrap().cursor;
        publish(&hub, "other", 3..5).await;
        let cursor = cut(hub.subscribe(["a", "b"])).await.expect("a cursor");
        let mut again = read(EventStream::new(hub.subscribe(["a", "b"]).after(cursor).await.unwrap()));
        again.retry().await;
        let ends = again.next().await.unwrap();
        assert!(
            ends.contains(&format!("id: {first}\n")) && ends.contains(&format!("id: {second}\n")),
            "{ends}"
        );
        // The same without a cut: positions increase.
        let mut whole = read(EventStream::new(hub.subscribe(["a", "b"]).await.unwrap()));
        whole.retry().await;
        let ids = [whole.first_cursor.clone().unwrap(), first.to_string(), second.to_string()];
        let places = ids.map(|id| id.parse::<sse_core::Cursor>().unwrap().seq());
        assert!(places.is_sorted_by(|one, other| one < other), "{places:?}");
        assert!(whole.next().await.unwrap().contains("sse.end"));
        assert_eq!((whole.next().await, whole.end()), (None, "finished"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_a_state_has_none_before_it_is_whole() {
        let hub = Hub::memory();
        publish(&hub, "a", 0..2).await;
        let state = || {
            hub.subscribe("a").snapshot(|_| async {
                tokio::time::sleep(Duration::from_secs(40)).await;
                Ok::<_, &str>(vec![Event::message("part"), Event::message("rest")])
            })
        };
        let mut reading = read(EventStream::new(state().await.unwrap()));
        let mut text = String::new();
        while !text.contains("data: part\n") {
            assert!(!text.contains("id: "), "{text}");
            text.push_str(&reading.next().await.unwrap());
        }
        let end = format!("data: part\n\ndata: rest\nid: {}\n\n", hub.stats().head);
        assert!(text.ends_with(&end), "{text}");
        // A state that cannot be loaded gives no cursor either, to a stream or a page.
        let fails = || hub.subscribe("a").snapshot(|_| async { Err::<Event, _>("down") });
        assert_eq!(cut(fails()).await, None);
        #[cfg(feature = "fallbacks")]
        {
            let json = requests::get("/", &[("accept", "application/json")]);
            let page = EventStream::new(fails().request(json).fallbacks().await.unwrap());
            assert!(read(page).next().await.unwrap().contains("\"cursor\":null"));
        }
        // The event that takes a half event away from WebKit names no position.
        let webkit = requests::get("/", &[("user-agent", "Safari AppleWebKit/605.1.15 Version/18.3")]);
        let begin = read(EventStream::new(state().request(webkit).await.unwrap())).next().await.unwrap();
        assert!(begin.ends_with("\nevent: sse.discard\ndata: \nid: \n\n"), "{begin}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_reader_has_one_while_permitted() {
        let shutdown = Shutdown::within(Duration::from_secs(4));
        let hub =
            Hub::builder().shutdown(shutdown.clone()).retention(Retention::default().events(2)).memory();
        publish(&hub, "a", 0..3).await;
        let full = hub.subscribe("other").exclusive("place", Exclusive::Reject).await.unwrap();
        let refused =
            |topic: &str| hub.subscribe(Pattern::new(topic).unwrap()).exclusive("place", Exclusive::Reject);
        let head = Some(hub.stats().head.to_string());
        assert_eq!(cut(refused("a")).await, head);
        assert_eq!(cut(refused("*")).await, head);
        let earliest = cut(refused("a").start(Start::Earliest)).await.expect("a cursor");
        assert_eq!(cut(refused("*").start(Start::Earliest)).await, None, "it is not looked for");
        assert_eq!(cut(refused("a").after("elsewhere")).await, None);
        assert_eq!(cut(refused("a").snapshot(|_| async { Ok::<_, &str>(vec![]) })).await, None);
        assert_eq!(cut(hub.subscribe("a").lease(Lease::within(Duration::ZERO))).await, None);
        // The hub keeps no state of it.
        assert_eq!(hub.stats().readers.into_keys().collect::<Vec<_>>(), ["other"]);
        let end = hub.finish("a").await.unwrap().cursor;
        let before_end = cut(refused("a")).await.expect("a cursor");
        drop(full);
        let mut reader = refused("a").after(before_end).await.unwrap();
        assert_eq!(next(&mut reader).await.last_event_id(), end.to_string());
        drop(reader);
        let reader = refused("a").after(earliest).await.unwrap();
        assert!(reader.gap().is_some(), "the finish evicted an event: {:?}", reader.resume());
        shutdown.notify();
        assert_eq!(cut(hub.subscribe("b")).await, Some(hub.stats().head.to_string()));
    }

    #[tokio::test]
    async fn it_is_of_the_epoch_that_holds_when_it_is_sent() {
        let history = Scripted::new();
        let hub = Hub::open(history.clone()).await.unwrap();
        publish(&hub, "a", 0..5).await;
        let early = hub.subscribe("a").await.unwrap();
        let mut open = read(EventStream::new(hub.subscribe("a").await.unwrap()));
        open.retry().await;
        let before = hub.stats().head.epoch();
        history.fork(4);
        within(until(|| hub.stats().head.epoch() != before)).await;
        // The early reader has no position yet, so it gets no gap for the fork; the other one has a position that
        // is void.
        let mut early = read(EventStream::new(early));
        early.retry().await;
        assert_eq!(early.first_cursor, Some(hub.stats().head.to_string()));
        assert!(open.next().await.unwrap().starts_with("event: sse.gap\n"));
        hub.publish("a", Event::message("last")).await.unwrap();
        assert!(early.next().await.unwrap().starts_with("data: last\n"));
        assert_eq!(back(hub.subscribe("a"), &early.first_cursor.unwrap()).await, ["last"]);
    }

    #[cfg(feature = "fallbacks")]
    #[tokio::test(start_paused = true)]
    async fn a_page_has_a_cursor_without_the_history() {
        let history = Scripted::new();
        let hub =
            Hub::builder().retention(Retention::default().events(1)).open(history.clone()).await.unwrap();
        publish(&hub, "a", 0..5).await;
        let json = requests::get("/", &[("accept", "application/json")]);
        let subscribe = hub.subscribe("a").request(json).fallbacks();
        let subscription = subscribe.start(Start::Earliest).await.unwrap();
        history.hold_reads(true);
        let page = EventStream::new(subscription).keep_alive(KeepAlive::every(Duration::from_secs(1)));
        let page = read(page).next().await.unwrap();
        let cursor =
            page.split_once("\"cursor\":\"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0.to_owned();
        history.hold_reads(false);
        hub.publish("a", Event::message("last")).await.unwrap();
        assert_eq!(back(hub.subscribe("a"), &cursor).await, ["0", "1", "2", "3", "4", "last"]);
    }

    #[tokio::test]
    async fn a_live_reader_has_one_although_the_history_is_away() {
        let history = Scripted::new();
        let hub =
            Hub::builder().retention(Retention::default().events(1)).open(history.clone()).await.unwrap();
        publish(&hub, "a", 0..3).await;
        history.set_down(true);
        // The hub cannot ask whether this topic is finished, nor where another topic's events begin.
        let live = cut(hub.subscribe("unseen")).await;
        assert_eq!(live, Some(hub.stats().head.to_string()));
        assert_eq!(cut(hub.subscribe("a").start(Start::Earliest)).await, None);
        history.set_down(false);
        hub.publish("unseen", Event::message("last")).await.unwrap();
        assert_eq!(back(hub.subscribe("unseen"), &live.unwrap()).await, ["last"]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_kept_by_a_reader_that_turns_to_other_topics_at_once() {
        let hub = Hub::memory();
        publish(&hub, "a", 0..2).await;
        let subscription = hub.subscribe("a").await.unwrap();
        subscription.handle().set_topics("b").unwrap();
        hub.publish("b", Event::message("first")).await.unwrap();
        let mut reading = read(EventStream::new(subscription).keep_alive(None));
        reading.retry().await;
        let cursor = reading.first_cursor.take().expect("a cursor");
        assert!(reading.next().await.unwrap().starts_with("data: first\n"));
        hub.publish("b", Event::message("last")).await.unwrap();
        assert_eq!(back(hub.subscribe("b"), &cursor).await, ["first", "last"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_asks_for_it() {
        let hub = Hub::memory();
        publish(&hub, "a", 0..3).await;
        let mut reader = hub.subscribe("a").start(Start::Latest(2)).await.unwrap();
        for count in 0..=2 {
            let cursor = reader.cursor().expect("a cursor");
            assert_eq!(cursor.seq(), 1 + count);
            if count < 2 {
                next(&mut reader).await;
            }
        }
        // A gap notice or a state comes first.
        let mut lost = hub.subscribe("a").after("elsewhere").await.unwrap();
        assert_eq!(lost.cursor(), None);
        next(&mut lost).await;
        assert_eq!(lost.cursor(), Some(hub.stats().head));
        let state = |_| async { Ok::<_, &str>(vec![Event::message("part"), Event::message("rest")]) };
        let mut loading = hub.subscribe("a").snapshot(state).await.unwrap();
        for _ in 0..2 {
            assert_eq!(loading.cursor(), None);
            next(&mut loading).await;
        }
        assert_eq!(loading.cursor(), Some(hub.stats().head));
    }
}
