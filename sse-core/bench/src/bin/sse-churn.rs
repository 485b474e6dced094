//! Readers that leave quiet topics and subscribe again while the hub sweeps: each of them must get every published
//! event.
//!
//! `sse-churn [--subscriptions 1000000] [--topics 100000] [--sweep-ms 80] [--tasks 4]` holds one reader for each
//! topic and runs tasks that replace the readers one after the other. It publishes to the topic of each new reader,
//! and exits with 1 if a reader missed its event, or if the hub did not sweep in the meantime.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sse_bench::load::numbers;
use sse_core::{Event, Hub, Retention};
use tokio::time::timeout;

/// How long a reader may take to get an available event.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    let known = [("--subscriptions", 1e6), ("--topics", 1e5), ("--sweep-ms", 80.0), ("--tasks", 4.0)];
    // No application is started.
    let arguments = std::iter::once(String::new()).chain(std::env::args().skip(1));
    let Some((_, [subscriptions, topics, sweep, tasks])) = numbers(arguments, known) else {
        eprintln!("usage: sse-churn [--subscriptions N] [--topics N] [--sweep-ms N] [--tasks N]");
        return ExitCode::from(2);
    };
    // A hub sweeps at each eighth tick, and a tick is an eighth of this.
    let hub = Hub::builder()
        .stalled_after(Duration::from_millis(sweep as u64))
        .retention(Retention::default().events(0))
        .memory();
    let began_at = Instant::now();
    let dead = Arc::<AtomicU64>::default();
    let (tasks, topics) = (tasks.max(1.0) as usize, topics.max(1.0) as usize);
    let each = subscriptions as usize / tasks;
    let churning: Vec<_> = (0..tasks)
        .map(|task| tokio::spawn(churn(hub.clone(), task, topics.div_ceil(tasks), each, Arc::clone(&dead))))
        .collect();
    for task in churning {
        task.await.expect("a task");
    }
    let dead = dead.load(Ordering::Relaxed);
    println!(
        "{} subscriptions to {topics} quiet topics in {:.1?}, a sweep each {sweep} ms: {dead} readers that got nothing",
        each * tasks,
        began_at.elapsed(),
    );
    if dead == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Replaces the readers of its topics one after the other.
async fn churn(hub: Hub, task: usize, topics: usize, subscriptions: usize, dead: Arc<AtomicU64>) {
    let names: Vec<_> = (0..topics).map(|number| format!("quiet.{task}.{number}")).collect();
    let mut readers = Vec::new();
    for name in &names {
        readers.push(Some(hub.subscribe(name).await.expect("subscribed")));
    }
    for number in 0..subscriptions {
        let place = fastrand::usize(..topics);
        let (name, reader) = (&names[place], &mut readers[place]);
        *reader = None;
        let mut new = hub.subscribe(name).await.expect("subscribed");
        if number % 4 == 0 {
            tokio::task::yield_now().await;
        }
        let receipt = hub.publish(name, Event::message("x")).await.expect("published");
        // The hub retains nothing, so the reader gets a notice with the event's position.
        let got = if receipt.receivers == Some(1) { timeout(PATIENCE, new.next()).await } else { Ok(None) };
        if !matches!(got, Ok(Some(_))) {
            dead.fetch_add(1, Ordering::Relaxed);
        }
        *reader = Some(new);
    }
}
