//! The memory of a waiting reader: the hub's share, and the whole of our code.

use std::pin::{Pin, pin};

use allocation_counter::measure;
use futures_util::{FutureExt as _, StreamExt as _};
use sse_core::{Body, EventStream, Hub, Shutdown, Subscription};
use tokio::task::unconstrained;

const READERS: usize = 1_000;

/// Heap bytes per item made by `make`; one item is made before the measurement.
fn bytes_each<T>(make: impl Fn() -> T) -> usize {
    let first = make();
    let mut all = Vec::with_capacity(READERS);
    let info = measure(|| all.extend((0..READERS).map(|_| Box::new(make()))));
    drop((first, all));
    usize::try_from(info.bytes_current).unwrap() / READERS
}

/// Subscribes without a task: with a hub in memory this completes at once.
fn subscribed(hub: &Hub) -> Subscription {
    hub.subscribe("prices").into_future().now_or_never().unwrap().unwrap()
}

fn waiting(hub: &Hub) -> Subscription {
    let mut subscription = subscribed(hub);
    assert!(pin!(subscription.next()).now_or_never().is_none());
    subscription
}

fn waiting_body(hub: &Hub) -> Pin<Box<Body>> {
    let mut body = Box::pin(EventStream::new(subscribed(hub)).into_response().into_body());
    // The first `retry`, and then nothing; the timer is set.
    assert!(body.next().now_or_never().is_some());
    assert!(body.next().now_or_never().is_none());
    body
}

#[tokio::test]
async fn a_waiting_reader_costs_the_hub_at_most_256_bytes() {
    let hub = Hub::memory();
    let bytes = unconstrained(async { bytes_each(|| waiting(&hub)) }).await;
    assert!(bytes <= 256, "{bytes} bytes");
}

#[tokio::test]
async fn all_that_is_ours_of_a_waiting_reader_is_at_most_512_bytes() {
    let hub = Hub::memory();
    let bytes = unconstrained(async { bytes_each(|| waiting_body(&hub)) }).await;
    // As requested: an allocator rounds each of the four blocks up.
    assert!(bytes + 4 * 12 <= 512, "{bytes} bytes");
}

#[tokio::test]
async fn a_shutdown_handle_adds_at_most_192_bytes() {
    let shutdown = Shutdown::within(std::time::Duration::from_secs(1));
    let (plain, ending) = (Hub::memory(), Hub::builder().shutdown(shutdown).memory());
    let bytes = unconstrained(async { [&plain, &ending].map(|hub| bytes_each(|| waiting_body(hub))) }).await;
    assert!(bytes[1] <= bytes[0] + 192, "{bytes:?} bytes");
}

/// A mebibyte to replay, in chunks of 64 KiB.
async fn hub_with_a_mebibyte() -> Hub {
    let hub = Hub::memory();
    let text = "x".repeat(1 << 10);
    for _ in 0..1 << 10 {
        hub.publish("prices", sse_core::Event::message(&text)).await.expect("published");
    }
    hub
}

fn replaying(hub: &Hub) -> Pin<Box<Body>> {
    let subscription = hub.subscribe("prices").start(sse_core::Start::Earliest).into_future().now_or_never();
    Box::pin(EventStream::new(subscription.unwrap().unwrap()).into_response().into_body())
}

#[tokio::test]
async fn a_replay_uses_the_buffers_of_the_one_before() {
    let hub = hub_with_a_mebibyte().await;
    let replay = || {
        let (mut body, mut bytes) = (replaying(&hub), 0);
        while let Some(Some(Ok(chunk))) = body.next().now_or_never() {
            bytes += chunk.len();
        }
        bytes
    };
    let info = unconstrained(async {
        assert!(replay() > 1 << 20);
        measure(|| assert!(replay() > 1 << 20))
    });
    let bytes = info.await.bytes_total;
    assert!(bytes < 32 << 10, "{bytes} bytes");
}

#[tokio::test]
async fn a_thread_keeps_at_most_eight_buffers_of_chunks() {
    let hub = hub_with_a_mebibyte().await;
    let info = unconstrained(async {
        measure(|| {
            let mut body = replaying(&hub);
            let mut chunks = Vec::new();
            while let Some(Some(Ok(chunk))) = body.next().now_or_never() {
                chunks.push(chunk);
            }
            assert!(chunks.len() > 16);
        })
    });
    let bytes = info.await.bytes_current;
    assert!((7 * (64 << 10)..9 * (64 << 10)).contains(&bytes), "{bytes} bytes");
}

#[cfg(feature = "compress")]
fn gzip() -> sse_core::SseRequest {
    let request = http::Request::get("/").header("accept-encoding", "gzip").body(()).expect("a request");
    sse_core::SseRequest::from(&request)
}

#[cfg(feature = "compress")]
#[tokio::test]
async fn compression_adds_at_most_512_bytes_per_reader() {
    let hub = Hub::memory();
    let compressed = |hub: &Hub| {
        let stream = EventStream::new(subscribed(hub)).compress_for(&gzip());
        let mut body = Box::pin(stream.into_response().into_body());
        assert!(body.next().now_or_never().is_some());
        assert!(body.next().now_or_never().is_none());
        body
    };
    let bytes = unconstrained(async { [bytes_each(|| waiting_body(&hub)), bytes_each(|| compressed(&hub))] });
    let bytes = bytes.await;
    assert!(bytes[1] <= bytes[0] + 512, "{bytes:?} bytes");
    let mut body = compressed(&hub);
    let info = measure(|| {
        for n in 0..100 {
            hub.publish("prices", sse_core::Event::message(format!("the price is {n}")))
                .into_future()
                .now_or_never()
                .expect("at once")
                .expect("published");
            assert!(body.next().now_or_never().is_some());
        }
    });
    assert!(info.bytes_current <= 400 << 10, "{} bytes", info.bytes_current);
}

#[cfg(feature = "compress")]
#[test]
fn the_compressors_of_quiet_topics_are_given_back() {
    use std::time::Duration;

    const TOPICS: usize = 10;
    /// Size of one compressor, and the number of idle ones that the process keeps for reuse.
    const BYTES: i64 = 250_000;
    const SPARE: usize = 4;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let hub = runtime.block_on(async { Hub::memory() });
    let mut bodies = runtime.block_on(unconstrained(async {
        let mut bodies = Vec::new();
        for n in 0..TOPICS {
            let topic = format!("prices.{n}");
            let subscription = hub.subscribe(topic.clone()).await.expect("a subscription");
            let mut body =
                Box::pin(EventStream::new(subscription).compress_for(&gzip()).into_response().into_body());
            hub.publish(topic, sse_core::Event::message("1.08")).await.expect("published");
            while body.next().now_or_never().is_some() {}
            bodies.push(body);
        }
        bodies
    }));
    let info = measure(|| {
        runtime.block_on(async {
            for _ in 0..60 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    });
    let freed = -info.bytes_current;
    assert!(freed >= BYTES * (TOPICS - SPARE) as i64, "{freed} bytes");
    runtime.block_on(unconstrained(async {
        for (n, body) in bodies.iter_mut().enumerate() {
            hub.publish(format!("prices.{n}"), sse_core::Event::message("1.09")).await.expect("published");
            assert!(body.next().now_or_never().is_some());
        }
    }));
}

#[tokio::test]
async fn events_and_topics_take_what_is_counted_for_them() {
    for (topics, events) in [(20_000, 1), (200, 100)] {
        for len in [1, 200] {
            let hub = Hub::memory();
            let text = "x".repeat(len);
            let info = unconstrained(async {
                measure(|| {
                    for number in 0..topics * events {
                        let event = sse_core::Event::message(&text);
                        let publish = hub.publish(format!("topic.{}", number % topics), event);
                        publish.into_future().now_or_never().unwrap().unwrap();
                    }
                })
            });
            let bytes = usize::try_from(info.await.bytes_current).unwrap();
            let counted = hub.stats().memory_bytes;
            // Tables double when they are full, so they may be half empty.
            let range = bytes * 3 / 5..=bytes * 8 / 5;
            assert!(
                range.contains(&counted),
                "{counted} counted, {bytes} taken by {topics} topics of {events}"
            );
        }
    }
}
