//! From publishing at one hub to arriving at a reader of another.

use std::time::{Duration, Instant};

use sse_checker::engines::{FileEngine, NatsEngine, PostgresEngine, RedisEngine};
use sse_core::{Event, Hub};
use sse_testkit::history_cases::{Engine, next};

const EVENTS: usize = 1_000;

pub(crate) async fn run() {
    println!("publish on A to arrival at a reader of B, {EVENTS} times");
    engine::<FileEngine>("FileHistory (two hubs in one process)").await;
    engine::<RedisEngine>("RedisHistory (appendfsync always)").await;
    engine::<NatsEngine>("NatsHistory").await;
    engine::<PostgresEngine>("PostgresHistory").await;
}

async fn engine<E: Engine>(name: &str) {
    let engine = E::start().await;
    let a = Hub::open(engine.open(None).await).await.unwrap();
    let b = Hub::open(engine.open(None).await).await.unwrap();
    let mut reader = b.subscribe("a").await.unwrap();
    let mut took = Vec::with_capacity(EVENTS);
    for _ in 0..EVENTS {
        let began = Instant::now();
        let publish = tokio::spawn({
            let a = a.clone();
            async move { a.publish("a", Event::message("x")).await.unwrap() }
        });
        next(&mut reader).await;
        took.push(began.elapsed());
        publish.await.unwrap();
    }
    took.sort_unstable();
    let at = |share: f64| ms(took[(took.len() as f64 * share) as usize]);
    println!("{name:<45}p50 {:>8.2} ms   p99 {:>8.2} ms", at(0.5), at(0.99));
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
