//! The client against our own hub: no event is lost or comes twice, whatever happens to the connection.
//!
//! Each fault lasts 2 s; `SSE_CHAOS_SECONDS=60` makes it the long form.

use std::{env, time::Duration};

use futures_util::StreamExt;
use sse_core::{
    EventSource,
    client::{Backoff, ClientEvent, Disconnect, EventSourceBuilder},
};
use sse_interop::servers::{Chaos, Fault, HubServer, Ledger};
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_millis(200);

fn numbers(addr: std::net::SocketAddr) -> EventSourceBuilder {
    EventSource::get(format!("http://{addr}/numbers"))
        .idle_timeout(5 * KEEP_ALIVE)
        .connect_timeout(SECOND)
        .backoff(Backoff::default().max(2 * SECOND))
}

/// Reads until the topic is finished, and counts the disconnects.
async fn read(source: EventSourceBuilder) -> (Ledger, Vec<Disconnect>) {
    let mut events = source.events().expect("a valid request");
    let (mut ledger, mut causes) = (Ledger::default(), Vec::new());
    while let Some(event) = events.next().await {
        match event.expect("no error is final here") {
            ClientEvent::Message(message) if message.event_type() == "sse.end" => {}
            ClientEvent::Message(message) => ledger.enter(message.data()),
            ClientEvent::Gap { .. } => ledger.enter_gap(),
            ClientEvent::Disconnected { cause, .. } => causes.push(cause),
            _ => {}
        }
    }
    (ledger, causes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_ten_thousand_events_with_cuts() {
    const COUNT: u64 = 10_000;
    let server = HubServer::start(KEEP_ALIVE).await;
    let hub = server.hub.clone();
    let publishing = tokio::spawn(async move {
        for number in 0..COUNT {
            HubServer::publish(&hub, number).await;
            if number % 2_500 == 1_250 {
                HubServer::cut(&hub);
            }
            if number % 10 == 0 {
                sleep(Duration::from_millis(3)).await;
            }
        }
        HubServer::finish(&hub).await;
    });
    let mut source = numbers(server.addr).connect().expect("a valid request");
    let interrupt = source.interrupt();
    let (mut ledger, mut interrupts) = (Ledger::default(), 0);
    let reading = async {
        while let Some(message) = source.next().await {
            let message = message.expect("no error is final here");
            match message.event_type() {
                "message" => ledger.enter(message.data()),
                "sse.gap" => ledger.enter_gap(),
                other => assert_eq!(other, "sse.end"),
            }
            if ledger.len() % 700 == 699 {
                interrupt.interrupt();
                interrupts += 1;
            }
        }
    };
    timeout(60 * SECOND, reading).await.expect("it ends with 204");
    publishing.await.expect("published");
    assert!(interrupts >= 10, "{interrupts}");
    ledger.assert_whole(COUNT);
}

/// Applies one fault to a stream of events that never pauses.
async fn survive(fault: Fault) -> Vec<Disconnect> {
    let seconds = env::var("SSE_CHAOS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let server = HubServer::start(KEEP_ALIVE).await;
    let chaos = Chaos::start(server.addr).await.expect("a proxy");
    let reading = tokio::spawn(read(numbers(chaos.addr)));
    let hub = server.hub.clone();
    let publishing = tokio::spawn(async move {
        let mut number = 0;
        let end = tokio::time::Instant::now() + Duration::from_secs(seconds) + SECOND / 2;
        while tokio::time::Instant::now() < end {
            HubServer::publish(&hub, number).await;
            number += 1;
            sleep(Duration::from_millis(4)).await;
        }
        HubServer::finish(&hub).await;
        number
    });
    sleep(SECOND / 4).await;
    chaos.set(fault);
    sleep(Duration::from_secs(seconds)).await;
    chaos.set(Fault::None);
    let count = publishing.await.expect("published");
    let (ledger, causes) = timeout(30 * SECOND, reading).await.expect("it ends with 204").expect("it read");
    assert!(count > 100 * seconds, "only {count} events");
    ledger.assert_whole(count);
    println!(
        "{fault:?} for {seconds} s: {count} events over {} connections, none lost, none twice",
        chaos.accepted()
    );
    assert!(matches!(causes.last(), Some(Disconnect::NoContent)), "{causes:?}");
    causes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_chaos_delay() {
    survive(Fault::Delay).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_chaos_half_open() {
    let causes = survive(Fault::HalfOpen).await;
    assert!(causes.iter().any(|cause| matches!(cause, Disconnect::Idle(_))), "{causes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_chaos_reset() {
    let causes = survive(Fault::Reset).await;
    assert!(causes.iter().any(|cause| matches!(cause, Disconnect::Network(_))), "{causes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_chaos_close() {
    let causes = survive(Fault::Close).await;
    assert!(causes.iter().any(|cause| matches!(cause, Disconnect::Network(_))), "{causes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_chaos_drip() {
    survive(Fault::Drip).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_chaos_stop_reading() {
    let causes = survive(Fault::StopReading).await;
    assert!(causes.iter().any(|cause| matches!(cause, Disconnect::Idle(_))), "{causes:?}");
}
