//! What a response sends and when, with the clock paused.

use crate::common::{reader, requests};
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::reader::publish;
use futures_util::{SinkExt, StreamExt, future::poll_immediate, stream};
use sse_core::{
    Body, EndReason, Event, EventStream, Frame, Hub, KeepAlive, Shutdown, StreamSummary, channel,
    channel::SendError,
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// A body read by hand: the bytes, and when they arrived.
struct Reading {
    body: Body,
    has_begun: bool,
    first_cursor: Option<String>,
    began_at: Instant,
}

fn read(stream: EventStream) -> Reading {
    let response = stream.into_response();
    assert_eq!(response.status(), 200);
    let body = response.into_body();
    Reading { body, has_begun: false, first_cursor: None, began_at: Instant::now() }
}

impl Reading {
    async fn next(&mut self) -> Option<String> {
        self.has_begun = true;
        let bytes = self.body.next().await?.unwrap_or_else(|never| match never {});
        Some(String::from_utf8(bytes.to_vec()).expect("UTF-8"))
    }

    async fn expect(&mut self, what: &str) {
        assert_eq!(self.next().await.as_deref(), Some(what));
    }

    /// Reads a `retry` line, alone or at the beginning with the first checkpoint; returns its milliseconds.
    async fn retry(&mut self) -> u64 {
        let is_first = !self.has_begun;
        let mut text = self.next().await.expect("a retry line");
        if is_first && let Some((retry, id)) = text.split_once("event: sse.checkpoint\ndata: \nid: ") {
            self.first_cursor = id.strip_suffix("\n\n").map(str::to_owned);
            text = retry.to_owned();
        }
        let millis = text.strip_prefix("retry: ").and_then(|line| line.strip_suffix('\n'));
        millis
            .and_then(|millis| millis.parse().ok())
            .unwrap_or_else(|| panic!("{text:?} is not a retry line"))
    }

    async fn is_silent_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.body.next()).await.is_err()
    }
}

/// A hook and what it received.
fn hook() -> (impl FnOnce(StreamSummary) + Send + 'static, Arc<Mutex<Option<StreamSummary>>>) {
    let heard = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&heard);
    (move |ended| *tell.lock().expect("not poisoned") = Some(ended), heard)
}

fn end(heard: &Mutex<Option<StreamSummary>>) -> StreamSummary {
    heard.lock().expect("not poisoned").take().expect("the hook was called")
}

#[test]
fn the_head_is_what_browsers_and_proxies_need() {
    let response = EventStream::new(stream::empty::<Event>()).into_response();
    let mut head: Vec<_> =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    head.sort_unstable();
    assert_eq!(
        head,
        [
            ("cache-control", "no-cache, no-transform"),
            ("content-type", "text/event-stream"),
            ("x-accel-buffering", "no"),
        ]
    );
}

#[test]
fn a_body_is_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Body>();
}

#[tokio::test(start_paused = true)]
async fn g10_first_bytes_at_once_and_silence_within_the_interval() {
    let mut reading = read(EventStream::new(stream::pending::<Event>()));
    assert!(poll_immediate(pin!(reading.body.next())).await.is_some(), "the first bytes wait for nothing");
    for _ in 0..20 {
        let before = Instant::now();
        reading.retry().await;
        let silence = before.elapsed();
        assert!(silence <= Duration::from_secs(15) && silence >= Duration::from_secs(13), "{silence:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_interval_counts_from_the_last_byte() {
    let events = stream::unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_secs(9)).await;
        (n < 3).then(|| (Event::message(n.to_string()), n + 1))
    });
    let mut reading =
        read(EventStream::new(events.chain(stream::pending())).keep_alive(KeepAlive::every(10 * SECOND)));
    reading.retry().await;
    for n in 0..3 {
        reading.expect(&format!("data: {n}\n\n")).await;
    }
    let last = reading.began_at.elapsed();
    reading.retry().await;
    let silence = reading.began_at.elapsed() - last;
    assert!(silence > 8 * SECOND && silence <= 10 * SECOND, "{silence:?}");
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_repeats_the_last_retry_told() {
    let events = stream::iter([Event::message("x").retry(7 * SECOND)]).chain(stream::pending());
    let mut reading = read(EventStream::new(events));
    assert_ne!(reading.retry().await, 7_000);
    reading.expect("data: x\nretry: 7000\n\n").await;
    assert_eq!(reading.retry().await, 7_000);
}

#[tokio::test(start_paused = true)]
async fn keep_alives_are_comments_or_events_in_blocks() {
    let mut comment =
        read(EventStream::new(stream::pending::<Event>()).keep_alive(KeepAlive::default().comment("a\nb")));
    let retry = comment.retry().await;
    comment.expect(&format!("retry: {retry}\n: a\n: b\n")).await;
    let ping = KeepAlive::default().event("ping").unwrap();
    let mut event = read(EventStream::new(stream::pending::<Event>()).keep_alive(ping));
    event.retry().await;
    event.expect("event: ping\ndata: \n\n").await;
    assert!(KeepAlive::default().event("a\nb").is_err());
    let mut none = read(EventStream::new(stream::pending::<Event>()).keep_alive(None));
    none.retry().await;
    assert!(none.is_silent_for(3600 * SECOND).await);
    let mut own =
        read(EventStream::new(stream::iter([Event::default().comment("hello"), Event::message("x")])));
    let retry = own.retry().await;
    own.expect(&format!("retry: {retry}\n: hello\ndata: x\n\n")).await;
}

#[tokio::test]
async fn g15_retries_are_jittered_within_their_limits() {
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let retry = read(EventStream::new(stream::empty::<Event>())).retry().await;
        assert!((2_000..=4_000).contains(&retry), "{retry}");
        told.insert(retry);
    }
    assert!(told.len() > 50, "{} different retries of 200", told.len());
}

/// On a stream, on one of its events, and by a reader's handle: a value that is legal in other libraries ends no
/// stream.
#[tokio::test(start_paused = true)]
async fn h8_a_retry_is_between_the_limits_whoever_sets_it() {
    for (asked, stream_wide, single) in [
        (Duration::ZERO, 500..=1_000, 500),
        (Duration::from_millis(100), 500..=1_000, 500),
        (3_600 * SECOND, 3_600_000..=3_600_000, 3_600_000),
        (Duration::MAX, 3_600_000..=3_600_000, 3_600_000),
    ] {
        let (hook, heard) = hook();
        let events = stream::iter([Event::message("x").retry(asked), Event::message("y")]);
        let mut reading = read(EventStream::new(events).retry(asked).on_end(hook));
        let retry = reading.retry().await;
        assert!(stream_wide.contains(&retry), "{retry}");
        reading.expect(&format!("data: x\nretry: {single}\n\ndata: y\n\n")).await;
        assert_eq!(reading.next().await, None);
        assert!(matches!(end(&heard).end, EndReason::Complete));

        let hub = Hub::memory();
        let subscription = hub.subscribe("a").await.expect("subscribed");
        let handle = subscription.handle();
        let mut reading = read(EventStream::new(subscription));
        reading.retry().await;
        handle.retry(asked);
        let retry = reading.retry().await;
        assert!(stream_wide.contains(&retry), "{retry}");
        hub.publish("a", Event::message("x").retry(asked)).await.expect("published");
        let event = reading.next().await.expect("the event");
        assert!(event.starts_with(&format!("data: x\nretry: {single}\n")), "{event}");
    }
}

#[tokio::test]
async fn what_is_ready_goes_out_together_and_an_end_comes_after_it() {
    let (hook, heard) = hook();
    let events = stream::iter((0..3).map(|n| Event::message(n.to_string())));
    let mut reading = read(EventStream::new(events).on_end(hook));
    reading.retry().await;
    reading.expect("data: 0\n\ndata: 1\n\ndata: 2\n\n").await;
    assert_eq!(reading.next().await, None);
    assert_eq!(reading.next().await, None);
    let ended = end(&heard);
    assert!(matches!(ended.end, EndReason::Complete));
    assert_eq!((ended.events, ended.bytes), (3, 27 + "retry: 2000\n".len() as u64));
}

#[tokio::test]
async fn an_error_ends_cleanly_after_earlier_events() {
    let bad = [Ok(Event::message("good")), Err("broken"), Ok(Event::message("never"))];
    let poison = [
        Ok(Event::message("good")),
        Ok::<_, &str>(Event::message("x").id("a\nb")),
        Ok(Event::message("never")),
    ];
    for events in [bad, poison] {
        let (hook, heard) = hook();
        let mut reading = read(EventStream::try_new(stream::iter(events)).on_end(hook));
        reading.retry().await;
        reading.expect("data: good\n\n").await;
        assert_eq!(reading.retry().await, 30_000);
        assert_eq!(reading.next().await, None);
        assert!(matches!(end(&heard).end, EndReason::Error(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn until_ends_before_another_byte() {
    let (hook, heard) = hook();
    let events = stream::iter([Event::message("never")]);
    let mut reading = read(EventStream::new(events).until(async {}).on_end(hook));
    reading.retry().await;
    assert_eq!(reading.next().await, None);
    assert!(matches!(end(&heard).end, EndReason::Until));
    let mut later = read(EventStream::new(stream::pending::<Event>()).until(tokio::time::sleep(5 * SECOND)));
    later.retry().await;
    assert_eq!(later.next().await, None);
    assert_eq!(later.began_at.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn max_age_ends_a_little_early_and_says_when_to_come_back() {
    let hub = Hub::memory();
    let mut ages = Vec::new();
    for _ in 0..20 {
        let (hook, heard) = hook();
        let stream = EventStream::new(hub.subscribe("a").await.unwrap()).max_age(10 * SECOND);
        let mut reading = read(stream.on_end(hook).retry(5 * SECOND));
        reading.retry().await;
        assert!((5_000..=10_000).contains(&reading.retry().await));
        assert_eq!(reading.next().await, None);
        assert!(matches!(end(&heard).end, EndReason::MaxAge));
        ages.push(reading.began_at.elapsed());
    }
    assert!(ages.iter().all(|age| (8 * SECOND..=10 * SECOND).contains(age)), "{ages:?}");
    assert!(ages.iter().max() > ages.iter().min());
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_replaces_a_keep_alive() {
    let hub = Hub::memory();
    let mut reading = read(EventStream::new(hub.subscribe("a").await.unwrap()));
    reading.retry().await;
    // The position is still the one sent at the beginning.
    reading.retry().await;
    publish(&hub, "a", 0..1).await;
    let event = reading.next().await.unwrap();
    assert!(event.starts_with("data: 0\nid: ") && event.ends_with("-1\n\n"), "{event}");
    reading.retry().await;
    publish(&hub, "other", 0..5).await;
    let checkpoint = reading.next().await.unwrap();
    assert!(
        checkpoint.starts_with("event: sse.checkpoint\ndata: \nid: ") && checkpoint.ends_with("-6\n\n"),
        "{checkpoint}"
    );
    reading.retry().await;
    // A reader that comes back with the checkpoint misses nothing.
    let cursor = checkpoint.trim_end().rsplit("id: ").next().unwrap().to_owned();
    publish(&hub, "a", 9..10).await;
    let mut resumed = hub.subscribe("a").after(cursor).await.unwrap();
    assert_eq!(reader::next(&mut resumed).await.data(), "9");
}

#[tokio::test(start_paused = true)]
async fn g13_a_shutdown_spreads_the_ends() {
    let shutdown = Shutdown::within(20 * SECOND);
    let hub = Hub::builder().shutdown(shutdown.clone()).memory();
    let mut readings = Vec::new();
    for _ in 0..50 {
        let mut reading = read(EventStream::new(hub.subscribe("a").await.unwrap()).keep_alive(None));
        reading.retry().await;
        readings.push(reading);
    }
    shutdown.notify();
    publish(&hub, "a", 0..1).await;
    let began_at = Instant::now();
    let ends: Vec<_> = stream::iter(readings)
        .map(|mut reading| async move {
            assert!(reading.next().await.unwrap().starts_with("data: 0\n"));
            assert!((2_000..=4_000).contains(&reading.retry().await));
            assert_eq!(reading.next().await, None);
            began_at.elapsed()
        })
        .buffer_unordered(50)
        .collect()
        .await;
    assert!(ends.iter().all(|end| *end <= 10 * SECOND), "{ends:?}");
    let first_quarter = ends.iter().filter(|end| **end < 5 * SECOND).count();
    assert!((5..45).contains(&first_quarter), "{first_quarter} of 50 ended in the first quarter");
    let mut refused = read(EventStream::new(hub.subscribe("a").await.unwrap()));
    refused.retry().await;
    assert_eq!(refused.first_cursor, Some(hub.stats().head.to_string()));
    assert!(refused.next().await.is_some_and(|retry| retry.starts_with("retry: ")));
    assert_eq!(refused.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_plain_stream_ends_at_the_deadline_if_it_says_so() {
    let shutdown = Shutdown::within(20 * SECOND);
    let mut tokens =
        read(EventStream::new(stream::pending::<Event>()).until(shutdown.deadline()).keep_alive(None));
    let mut ticks =
        read(EventStream::new(stream::pending::<Event>()).until(shutdown.clone()).keep_alive(None));
    tokens.retry().await;
    ticks.retry().await;
    shutdown.notify();
    let began_at = Instant::now();
    assert_eq!(ticks.next().await, None);
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    assert_eq!(tokens.next().await, None);
    assert_eq!(began_at.elapsed(), 20 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn serve_drops_a_server_that_does_not_end() {
    let shutdown = Shutdown::within(10 * SECOND);
    shutdown.notify();
    let began_at = Instant::now();
    assert_eq!(shutdown.serve(std::future::pending::<()>()).await, None);
    // Data from the deadline may still be sent.
    assert_eq!(began_at.elapsed(), Duration::from_millis(10_250));
    assert_eq!(shutdown.serve(std::future::ready(7)).await, Some(7));
}

#[tokio::test]
async fn a_channel_carries_events_and_tells_when_the_reader_has_left() {
    let (mut tx, events) = channel(4);
    let mut reading = read(EventStream::new(events));
    tx.send(Event::message("1")).await.unwrap();
    SinkExt::send(&mut tx, Frame::try_from(Event::message("2")).unwrap()).await.unwrap();
    assert!(matches!(tx.send(Event::message("x").id("\n")).await, Err(SendError::Event(_))));
    reading.retry().await;
    reading.expect("data: 1\n\ndata: 2\n\n").await;
    assert!(!tx.is_closed());
    drop(reading);
    tx.closed().await;
    assert!(matches!(tx.send(Event::message("3")).await, Err(SendError::Left)));
}

#[tokio::test]
async fn a_gap_is_repeated_in_a_header() {
    let hub = Hub::memory();
    let response =
        EventStream::new(hub.subscribe("a").after("elsewhere \"é\"").await.unwrap()).into_response();
    let header = response.headers()["sse-gap"].to_str().unwrap();
    assert!(
        header.starts_with(r#"{"reason":"malformed","requested":"elsewhere \"\u00e9\"","resumed_at":""#),
        "{header}"
    );
    assert!(header.ends_with(r#"-0","missed":null}"#), "{header}");
}

#[tokio::test]
async fn readers_at_the_same_place_share_the_same_bytes() {
    let hub = Hub::memory();
    let mut readings = Vec::new();
    for _ in 0..3 {
        let mut reading = read(EventStream::new(hub.subscribe("a").await.unwrap()));
        reading.retry().await;
        readings.push(reading);
    }
    publish(&hub, "a", 0..10).await;
    let mut places = Vec::new();
    for reading in &mut readings {
        places.push(reading.body.next().await.unwrap().unwrap_or_else(|never| match never {}));
    }
    assert_eq!(places[0].len(), places[1].len());
    assert!(places.iter().all(|bytes| bytes.as_ptr() == places[0].as_ptr()));
}

#[tokio::test(start_paused = true)]
async fn g17_webkit_discards_half_an_event() {
    const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
        Version/18.3 Safari/605.1.15";
    const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
    let hub = Hub::memory();
    let first = hub.publish("a", Event::message("0")).await.expect("published").cursor;
    for (agent, accept, is_freed) in [
        (SAFARI, "text/event-stream", true),
        (CHROME, "text/event-stream", false),
        // The page's own code reads its `fetch`.
        (SAFARI, "*/*", false),
        ("", "text/event-stream", false),
    ] {
        let last = first.to_string();
        let headers = [("user-agent", agent), ("accept", accept), ("last-event-id", &*last)];
        let subscription =
            hub.subscribe("a").request(requests::get("/", &headers)).await.expect("a subscription");
        let mut body = read(EventStream::new(subscription));
        let begin = body.next().await.expect("the first bytes");
        let (retry, rest) = begin.split_once('\n').expect("a line");
        assert!(retry.starts_with("retry: "), "{begin}");
        // With the reader's own cursor, so that half an event's id is not taken for one that was read.
        let event = format!("event: sse.discard\ndata: \nid: {first}\n\n");
        assert_eq!(rest, if is_freed { &*event } else { "" }, "{agent} {accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn g4_what_frees_webkit_never_moves_its_cursor() {
    const SAFARI: &str =
        "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15";
    let shutdown = Shutdown::within(Duration::from_secs(4));
    let hub = Hub::builder().shutdown(shutdown.clone()).memory();
    let begin = async |text: Option<&str>| {
        let last = text.map(|text| ("last-event-id", text));
        let headers: Vec<_> = last.into_iter().chain([("user-agent", SAFARI)]).collect();
        let subscription =
            hub.subscribe("a").request(requests::get("/", &headers)).await.expect("a subscription");
        read(EventStream::new(subscription)).next().await.expect("the first bytes")
    };
    // For a new reader its first cursor clears the half event.
    let head = hub.stats().head;
    assert!(begin(None).await.ends_with(&format!("\nevent: sse.checkpoint\ndata: \nid: {head}\n\n")));
    // An invalid cursor stays unchanged, so that the gap is sent again if the notice is lost.
    assert!(begin(Some("elsewhere")).await.ends_with("\nevent: sse.discard\ndata: \nid: elsewhere\n\n"));
    // A refused reader keeps the cursor and the half event, until it is admitted.
    shutdown.notify();
    assert!(!begin(Some("elsewhere")).await.contains("event: "));
}

/// In the stream, in a future that ends it, in a task that feeds a channel, and in the hook itself, which may run
/// while the body is dropped.
#[tokio::test(start_paused = true)]
async fn h7_a_panic_ends_a_stream_as_an_error_does() {
    let boom = || stream::iter([0, 1, 2]).map(|n| Event::message((6 / (2 - n)).to_string()));
    let (hook, heard) = hook();
    let mut reading = read(EventStream::new(boom()).on_end(hook));
    reading.retry().await;
    reading.expect("data: 3\n\ndata: 6\n\n").await;
    assert_eq!(reading.retry().await, 30_000);
    assert_eq!(reading.next().await, None);
    let ended = end(&heard);
    assert!(
        matches!(&ended.end, EndReason::Error(error) if error.to_string().contains("divide by zero")),
        "{ended:?}"
    );
    assert_eq!(ended.events, 2);

    let (hook, heard) = self::hook();
    let until = async { panic!("out of cheese") };
    let mut reading = read(EventStream::new(stream::pending::<Event>()).until(until).on_end(hook));
    reading.retry().await;
    assert_eq!(reading.retry().await, 30_000);
    assert_eq!(reading.next().await, None);
    assert!(matches!(end(&heard).end, EndReason::Error(_)));

    let (hook, heard) = self::hook();
    let (tx, events) = channel(1);
    let mut reading = read(EventStream::new(events).on_end(hook));
    let sending = tokio::spawn(async move {
        tx.send(Event::message("x")).await.expect("sent");
        panic!("out of cheese");
    });
    reading.retry().await;
    reading.expect("data: x\n\n").await;
    assert!(sending.await.is_err());
    assert_eq!(reading.retry().await, 30_000);
    assert_eq!(reading.next().await, None);
    assert!(matches!(end(&heard).end, EndReason::Error(_)));

    for is_dropped in [true, false] {
        let mut reading =
            read(EventStream::new(stream::empty::<Event>()).on_end(|_| panic!("out of cheese")));
        reading.retry().await;
        if !is_dropped {
            assert_eq!(reading.next().await, None);
        }
    }
}
