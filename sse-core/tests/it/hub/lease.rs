//! Promise G9: a stream ends when its permission ends, before another byte is written. With the clock paused.

use std::time::{Duration, SystemTime};

use crate::common::body::read;
use crate::common::reader::{data, is_idle, next, publish, within};
use futures_util::stream;
use sse_core::{Event, EventStream, Hub, KeepAlive, Lease, Start};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn g9_an_expired_lease_ends_the_stream_with_a_retry() {
    let hub = Hub::memory();
    let began_at = Instant::now();
    let reader = hub.subscribe("a").lease(Lease::within(100 * SECOND)).await.unwrap();
    let mut reading = read(EventStream::new(reader).keep_alive(KeepAlive::every(15 * SECOND)));
    let mut lines = 0;
    while reading.next().await.is_some() {
        assert!(began_at.elapsed() <= 100 * SECOND + Duration::from_millis(1), "{:?}", began_at.elapsed());
        lines += 1;
    }
    assert_eq!(began_at.elapsed().as_secs(), 100);
    // The first line, a keep-alive for each idle interval, and the last retry.
    assert!((8..=10).contains(&lines), "{lines}");
    assert_eq!(reading.end(), "expired");
}

#[tokio::test(start_paused = true)]
async fn g9_revoking_ends_waiting_readers_at_once_and_nobody_elses() {
    let hub = Hub::memory();
    let (ann, bob) = (Lease::new(), Lease::new());
    let mut anns = Vec::new();
    for _ in 0..3 {
        anns.push(hub.subscribe("shared").lease(&ann).await.unwrap());
    }
    let mut bobs = hub.subscribe("shared").lease(&bob).await.unwrap();
    let waiting = tokio::spawn(async move {
        for reader in &mut anns {
            assert!(reader.next().await.is_none());
        }
    });
    tokio::task::yield_now().await;
    let began_at = Instant::now();
    ann.clone().revoke();
    within(waiting).await.unwrap();
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    assert!(ann.is_over() && !bob.is_over());
    publish(&hub, "shared", 0..1).await;
    assert_eq!(data(&mut bobs, 1).await, ["0"]);
    assert_eq!(hub.stats().readers["shared"], 1);
}

#[tokio::test(start_paused = true)]
async fn g9_what_is_pending_when_the_lease_ends_is_not_sent() {
    let hub = Hub::memory();
    let lease = Lease::within(10 * SECOND);
    let mut live = hub.subscribe("a").lease(&lease).await.unwrap();
    let mut replaying = hub.subscribe("a").start(Start::Earliest).lease(&lease).await.unwrap();
    publish(&hub, "a", 0..5).await;
    assert_eq!(data(&mut live, 2).await, ["0", "1"]);
    tokio::time::sleep(10 * SECOND).await;
    assert!(live.next().await.is_none());
    assert!(replaying.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn g9_an_expired_lease_reads_nothing() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..5).await;
    let lease = Lease::until(SystemTime::now() - SECOND);
    assert!(lease.is_over());
    let reader = hub.subscribe("a").after("elsewhere").start(Start::Earliest).lease(lease).await.unwrap();
    assert!(reader.gap().is_none());
    let response = EventStream::new(reader).into_response();
    assert_eq!((response.status().as_u16(), response.headers().get("sse-gap")), (200, None));
    let reader =
        hub.subscribe("a").start(Start::Earliest).lease(Lease::within(Duration::ZERO)).await.unwrap();
    let mut reading = read(EventStream::new(reader));
    reading.retry().await;
    reading.retry().await;
    assert_eq!(reading.next().await, None);
    assert_eq!(reading.end(), "expired");
}

#[tokio::test(start_paused = true)]
async fn renewing_moves_the_end_for_every_clone() {
    let hub = Hub::memory();
    let lease = Lease::within(10 * SECOND);
    let mut reader = hub.subscribe("a").lease(&lease).await.unwrap();
    tokio::time::sleep(9 * SECOND).await;
    lease.renew(10 * SECOND);
    tokio::time::sleep(9 * SECOND).await;
    assert!(is_idle(&mut reader).await);
    publish(&hub, "a", 0..1).await;
    assert_eq!(next(&mut reader).await.data(), "0");
    // A lease can also be shortened, while the reader waits.
    let waiting = tokio::spawn(async move { reader.next().await });
    tokio::task::yield_now().await;
    let began_at = Instant::now();
    lease.renew(2 * SECOND);
    assert!(waiting.await.unwrap().is_none());
    assert_eq!(began_at.elapsed().as_secs(), 2);
    lease.revoke();
    lease.renew(10 * SECOND);
    assert!(lease.is_over());
}

#[tokio::test(start_paused = true)]
async fn a_reader_keeps_to_a_lease_whose_other_handles_are_gone() {
    let hub = Hub::memory();
    let began_at = Instant::now();
    let mut expiring = hub.subscribe("a").lease(Lease::within(10 * SECOND)).await.unwrap();
    assert!(tokio::time::timeout(11 * SECOND, expiring.next()).await.expect("it ended").is_none());
    assert_eq!(began_at.elapsed().as_secs(), 10);
    let mut endless = hub.subscribe("a").lease(Lease::new()).await.unwrap();
    tokio::time::sleep(10_000 * SECOND).await;
    publish(&hub, "a", 0..1).await;
    assert_eq!(data(&mut endless, 1).await, ["0"]);
    assert!(!Lease::within(Duration::MAX).is_over());
}

#[tokio::test(start_paused = true)]
async fn a_plain_stream_ends_with_a_lease_too() {
    let lease = Lease::within(10 * SECOND);
    let events = EventStream::new(stream::pending::<Event>()).until(lease.over());
    let mut reading = read(events.keep_alive(None));
    reading.retry().await;
    let began_at = Instant::now();
    assert!(reading.is_silent_for(9 * SECOND).await);
    assert_eq!(reading.next().await, None);
    assert_eq!(began_at.elapsed().as_secs(), 10);
    assert_eq!(reading.end(), "until");
}
