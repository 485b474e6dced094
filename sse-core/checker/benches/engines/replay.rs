//! Replay of all events to one reader.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use sse_checker::engines::{FileEngine, NatsEngine, PostgresEngine, RedisEngine, RedisServer};
use sse_core::{EventStream, Hub, Retention, Start, history::History};
use sse_testkit::history_cases::{Engine, entry, wait_for};

use super::{EVENTS, peers, text};

pub(crate) async fn run() {
    println!("replay of {EVENTS} events to one reader");
    let hub = Hub::builder().retention(Retention::default().events(1_000_000).bytes(1 << 30)).memory();
    for _ in 0..EVENTS {
        hub.publish("a", sse_core::Event::message(text())).await.unwrap();
    }
    say("window", read(&hub).await);
    for batch in [1, 100] {
        engine::<FileEngine>(&format!("FileHistory, {batch} an append"), batch).await;
    }
    say("  redb alone, one range", peers::read_table(EVENTS));
    for batch in [1, 100] {
        engine::<RedisEngine>(&format!("RedisHistory, {batch} an append"), batch).await;
    }
    let server = RedisServer::start(&[]);
    let mut connection = peers::connect(&server).await;
    peers::fill_stream(&mut connection, EVENTS).await;
    for count in [1, 500] {
        let began = Instant::now();
        assert_eq!(peers::read_stream(&mut connection, count).await, EVENTS);
        say(&format!("  redis alone, XRANGE of {count}"), began.elapsed());
    }
    engine::<NatsEngine>("NatsHistory, 100 an append", 100).await;
    engine::<PostgresEngine>("PostgresHistory, 100 an append", 100).await;
}

/// From an engine through a hub with an empty window.
async fn engine<E: Engine>(name: &str, batch: u64) {
    let engine = E::start().await;
    let history = engine.open(None).await;
    fill(&history, batch).await;
    let hub = Hub::builder().retention(Retention::default().events(1)).open(history).await.unwrap();
    say(name, read(&hub).await);
}

/// Appends all events, with many calls at the same time to save time.
async fn fill<H: History + Clone>(history: &H, batch: u64) {
    // One after the other, so that an engine cannot join events that were not published together.
    let calls = EVENTS / batch;
    if batch == 1 {
        for _ in 0..calls {
            history.append(vec![entry("a", text())]).await.unwrap();
        }
        return;
    }
    for _ in 0..calls {
        history.append((0..batch).map(|_| entry("a", text())).collect()).await.unwrap();
    }
}

/// How long a response takes to send all events.
async fn read(hub: &Hub) -> Duration {
    read_all(hub, EVENTS).await
}

pub(crate) async fn read_all(hub: &Hub, total: u64) -> Duration {
    let began = Instant::now();
    let subscription = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    let body = EventStream::new(subscription).into_response().into_body();
    let mut chunks = pin!(body);
    let mut events = 0;
    while events < total {
        let chunk = wait_for("a chunk", chunks.next()).await.unwrap().unwrap();
        events += chunk.windows(2).filter(|window| *window == b"\n\n").count() as u64;
    }
    began.elapsed()
}

fn say(name: &str, took: Duration) {
    let each = took.as_secs_f64() / EVENTS as f64;
    println!("{name:<45}{:>10.1} ms {:>10.0} events/s", took.as_secs_f64() * 1e3, 1.0 / each);
}
