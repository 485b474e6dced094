//! The headers of a compressed response, the sharing of compressed blocks, and the end of the response.
#![cfg(feature = "compress")]

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::{gunzip::unzipped, requests};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use sse_core::{
    AcceptEncoding, Body, Event, EventStream, Hub, KeepAlive, Retention, Shutdown, SseRequest, channel,
};

const SECOND: Duration = Duration::from_secs(1);

/// A reader that accepts gzip, with the bytes sent so far.
struct Reader {
    body: Body,
    chunks: Vec<Bytes>,
    decoder: flate2::write::GzDecoder<Vec<u8>>,
}

impl Reader {
    async fn of(hub: &Hub) -> Self {
        let subscription = hub.subscribe("prices").await.expect("a subscription");
        Self::new(EventStream::new(subscription).compress_for(&gzip()))
    }

    fn new(stream: EventStream) -> Self {
        let body = stream.into_response().into_body();
        Self { body, chunks: Vec::new(), decoder: flate2::write::GzDecoder::new(Vec::new()) }
    }

    /// Takes all available bytes; returns the text that a client has at once.
    fn drain(&mut self) -> String {
        while let Some(Some(Ok(bytes))) = self.body.next().now_or_never() {
            self.decoder.write_all(&bytes).expect("valid so far");
            self.decoder.flush().expect("valid so far");
            self.chunks.push(bytes);
        }
        String::from_utf8(std::mem::take(self.decoder.get_mut())).expect("UTF-8")
    }

    fn last(&self) -> &Bytes {
        self.chunks.last().expect("a chunk")
    }
}

fn price(n: u64) -> Event {
    Event::message(format!(
        "{{\"symbol\":\"EURUSD\",\"bid\":1.08{n:03},\"ask\":1.09{n:03},\"volume\":{}}}",
        n * 7
    ))
}

fn gzip() -> SseRequest {
    requests::get("/", &[("accept-encoding", "gzip")])
}

async fn publish(hub: &Hub, n: u64) {
    hub.publish("prices", price(n)).await.expect("published");
}

#[tokio::test]
async fn the_head_says_what_is_sent() {
    let hub = Hub::memory();
    for (accepts, coding) in [("br, gzip;q=0.8", Some("gzip")), ("gzip;q=0", None), ("", None)] {
        let request = requests::get("/", &[("accept-encoding", accepts)]);
        let subscription = hub.subscribe("prices").request(request).await.expect("a subscription");
        let response = EventStream::new(subscription).compress().into_response();
        let coded = response.headers().get("content-encoding").map(|value| value.to_str().expect("text"));
        assert_eq!(coded, coding, "{accepts:?}");
        assert_eq!(response.headers()["vary"], "accept, accept-encoding");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let first = response.into_body().next().await.expect("the first bytes");
        let Ok(first) = first;
        assert_eq!(first.starts_with(b"retry: "), coding.is_none(), "{accepts:?}");
    }
    let response = EventStream::new(stream::iter([price(1)])).into_response();
    assert!(!response.headers().contains_key("vary"));
}

#[tokio::test]
async fn nothing_is_not_compressed() {
    let hub = Hub::memory();
    let finish = hub.finish("prices").await.expect("finished");
    let subscription = hub.subscribe("prices").after(finish.cursor).await.expect("a subscription");
    let response = EventStream::new(subscription).compress_for(&gzip()).into_response();
    assert_eq!(response.status(), 204);
    assert!(!response.headers().contains_key("content-encoding"));
    assert!(response.into_body().next().await.is_none());
}

#[test]
fn the_request_remembers_what_it_accepts() {
    assert_eq!(requests::get("/", &[]).accept_encoding(), AcceptEncoding::default());
    let request = requests::get("/", &[("accept-encoding", "br"), ("accept-encoding", "gzip")]);
    assert!(request.accept_encoding().allows_gzip());
    assert!(request.last_event_id().is_empty());
}

#[tokio::test(start_paused = true)]
async fn readers_of_the_same_topics_share_the_same_bytes() {
    let hub = Hub::memory();
    let mut readers = [Reader::of(&hub).await, Reader::of(&hub).await, Reader::of(&hub).await];
    let mut late = None;
    for n in 0..130 {
        publish(&hub, n).await;
        let texts: Vec<_> = readers.iter_mut().map(Reader::drain).collect();
        assert!(texts.iter().all(|text| text.contains(&format!("1.08{n:03}"))), "flushed with each event");
        let [first, others @ ..] = &readers;
        assert!(
            others.iter().all(|other| other.last().as_ptr() == first.last().as_ptr()),
            "made once, at {n}"
        );
        if n == 20 {
            late = Some(Reader::of(&hub).await);
        }
        if let Some(late) = &mut late {
            late.drain();
            // It joins where the compressor restarts, after 64 events.
            assert_eq!(late.last().as_ptr() == readers[0].last().as_ptr(), n >= 64, "at {n}");
        }
    }
    let sent: usize = readers[0].chunks.iter().skip(1).map(Bytes::len).sum();
    let plain: usize = (0..130)
        .map(|n| price(n).try_into().map(|frame: sse_core::Frame| frame.bytes().len() + 26))
        .map(Result::unwrap)
        .sum();
    assert!(sent * 2 < plain, "{sent} of {plain} bytes");
}

/// A reader without keep-alive, and one with a keep-alive of its own after one second of silence.
fn quiet_and_told(hub: &Hub) -> [Reader; 2] {
    [None, Some(KeepAlive::every(SECOND))].map(|keep_alive| {
        let subscription =
            hub.subscribe("prices").into_future().now_or_never().expect("at once").expect("a subscription");
        Reader::new(EventStream::new(subscription).keep_alive(keep_alive).compress_for(&gzip()))
    })
}

#[tokio::test(start_paused = true)]
async fn who_was_sent_something_of_its_own_joins_again() {
    let hub = Hub::memory();
    let [mut quiet, mut told] = quiet_and_told(&hub);
    let mut shared = Vec::new();
    for n in 0..100 {
        publish(&hub, n).await;
        quiet.drain();
        told.drain();
        shared.push(quiet.last().as_ptr() == told.last().as_ptr());
        if n == 10 {
            tokio::time::advance(2 * SECOND).await;
            assert!(told.drain().starts_with("retry: "));
            assert_eq!(quiet.drain(), "");
        }
    }
    let apart: Vec<_> = (0..100).filter(|n| !shared[*n]).collect();
    assert_eq!(apart, (11..64).collect::<Vec<_>>());
    // After a pause no reader waits for long.
    tokio::time::advance(6 * SECOND).await;
    assert!(told.drain().starts_with("retry: "));
    publish(&hub, 100).await;
    quiet.drain();
    told.drain();
    assert_eq!(quiet.last().as_ptr(), told.last().as_ptr());
}

#[tokio::test(start_paused = true)]
async fn signals_are_shared_by_readers_in_step() {
    let hub = Hub::memory();
    let [mut quiet, mut told] = quiet_and_told(&hub);
    quiet.drain();
    told.drain();
    let mut shared = Vec::new();
    for n in 0..100 {
        let signal = Event::message(format!("typing {n}"));
        assert_eq!(hub.signal("prices", signal).expect("told"), 2);
        for reader in [&mut quiet, &mut told] {
            assert_eq!(reader.drain(), format!("data: typing {n}\n\n"));
        }
        shared.push(quiet.last().as_ptr() == told.last().as_ptr());
        if n == 10 {
            tokio::time::advance(2 * SECOND).await;
            assert!(told.drain().starts_with("retry: "));
        }
    }
    let apart: Vec<_> = (0..100).filter(|n| !shared[*n]).collect();
    assert_eq!(apart, (11..64).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_evicted_is_not_told_by_a_block_that_is_kept() {
    let hub = Hub::builder().retention(Retention::default().events(2)).memory();
    let (mut quick, mut slow) = (Reader::of(&hub).await, Reader::of(&hub).await);
    quick.drain();
    slow.drain();
    for n in 0..5 {
        publish(&hub, n).await;
        quick.drain();
    }
    let text = slow.drain();
    assert!(text.starts_with("event: sse.gap\n"), "{text}");
    assert!(!text.contains("1.08002") && text.contains("1.08003") && text.contains("1.08004"), "{text}");
}

#[tokio::test]
async fn a_plain_stream_is_compressed_as_a_whole_and_flushed() {
    let (tx, events) = channel(8);
    let mut reader = Reader::new(EventStream::new(events).compress_for(&gzip()));
    let mut sizes = Vec::new();
    for n in 0..20 {
        tx.send(price(n)).await.expect("the reader is there");
        assert!(reader.drain().contains(&format!("1.08{n:03}")));
        sizes.push(reader.last().len());
    }
    assert!(sizes[19] * 2 < sizes[0], "{sizes:?}");
    drop(tx);
    reader.drain();
    let text = unzipped(&reader.chunks.concat());
    assert!(text.starts_with(b"retry: ") && text.ends_with(b"\n\n"));
}

#[tokio::test(start_paused = true)]
async fn the_last_words_and_the_trailer_are_counted() {
    let shutdown = Shutdown::within(SECOND);
    let hub = Hub::builder().shutdown(shutdown.clone()).memory();
    let heard = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&heard);
    let subscription = hub.subscribe("prices").await.expect("a subscription");
    let stream =
        EventStream::new(subscription).on_end(move |ended| *tell.lock().expect("not poisoned") = Some(ended));
    let mut reader = Reader::new(stream.compress_for(&gzip()));
    publish(&hub, 1).await;
    reader.drain();
    shutdown.notify();
    while let Some(Ok(bytes)) = reader.body.next().await {
        reader.chunks.push(bytes);
    }
    let bytes = reader.chunks.concat();
    let text = String::from_utf8(unzipped(&bytes)).expect("UTF-8");
    assert_eq!(text.matches("retry: ").count(), 2, "{text}");
    let ended = heard.lock().expect("not poisoned").take().expect("the hook heard it");
    // The event and the first checkpoint.
    assert_eq!((ended.events, ended.bytes), (2, bytes.len() as u64));
}

#[tokio::test]
async fn a_reader_that_turns_to_other_topics_stays_valid() {
    let hub = Hub::memory();
    let subscription = hub.subscribe("prices").await.expect("a subscription");
    let handle = subscription.handle();
    let mut turning = Reader::new(EventStream::new(subscription).compress_for(&gzip()));
    let mut staying = Reader::of(&hub).await;
    let mut text = String::new();
    for n in 0..40 {
        if n == 10 {
            handle.set_topics(["news", "prices"]).expect("turned");
        }
        publish(&hub, n).await;
        hub.publish("news", price(n)).await.expect("published");
        staying.drain();
        text += &turning.drain();
    }
    assert_eq!(text.matches("1.08039").count(), 2);
    // One more than the events: the first checkpoint.
    assert_eq!(text.matches("data: ").count(), 1 + 10 + 30 * 2);
}

/// Readers in separate tasks on several threads, which come and go while events are published.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_on_several_threads_get_every_event() {
    const EVENTS: u64 = 2_000;
    let hub = Hub::memory();
    let mut tasks = Vec::new();
    for n in 0..EVENTS {
        if n % 40 == 0 {
            let subscription = hub.subscribe("prices").await.expect("a subscription");
            let mut body = EventStream::new(subscription).compress_for(&gzip()).into_response().into_body();
            tasks.push(tokio::spawn(async move {
                let mut bytes = Vec::new();
                while let Some(Ok(chunk)) = body.next().await {
                    bytes.extend_from_slice(&chunk);
                }
                (n, unzipped(&bytes))
            }));
        }
        publish(&hub, n).await;
        if n % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    hub.finish("prices").await.expect("finished");
    for task in tasks {
        let (first, text) =
            tokio::time::timeout(30 * SECOND, task).await.expect("it ends").expect("no panic");
        let text = String::from_utf8(text).expect("UTF-8");
        let volumes =
            text.lines().filter_map(|line| line.strip_prefix("data: {\"symbol\"")?.rsplit_once(':'));
        let volumes: Vec<_> = volumes.map(|(_, volume)| volume.trim_end_matches('}').to_owned()).collect();
        let expected: Vec<_> = (first..EVENTS).map(|n| (n * 7).to_string()).collect();
        assert_eq!(volumes, expected);
    }
}
