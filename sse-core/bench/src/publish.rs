//! What publishing costs the publisher, by how many readers wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use sse_core::{Event, Hub};
use tokio::{sync::broadcast, task::yield_now};

use crate::{
    Failure,
    machine::versioned,
    options::Options,
    report::{Cell, Row, Table},
    servers::text,
};

/// How many readers wait for what is published.
const WAITING: [usize; 4] = [0, 1, 1_000, 10_000];

/// The row of our own.
const OURS: &str = "sse-core, publish";

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rounds = if options.quick { 20 } else { 300 };
    let mut columns: Vec<String> = WAITING.iter().map(|count| format!("{count} waiting")).collect();
    columns.push("1 waiting, 10000 at another topic".to_owned());
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for waiting in WAITING {
        let waiting = if options.quick { waiting / 100 } else { waiting };
        ours.push(Some(runtime.block_on(hub(waiting, 0, rounds))?));
        theirs.push(Some(runtime.block_on(channel(waiting, rounds))?));
    }
    let elsewhere = if options.quick { 100 } else { 10_000 };
    ours.push(Some(runtime.block_on(hub(1, elsewhere, rounds))?));
    theirs.push(None);
    let mut table = Table {
        title: "publish: until the publisher goes on".to_owned(),
        unit: "µs an event",
        columns,
        rows: vec![
            Row { label: OURS.to_owned(), ours: true, cells: ours },
            Row {
                label: format!("{}, broadcast::send of a String", versioned("tokio")),
                ours: false,
                cells: theirs,
            },
        ],
        targets: Vec::new(),
        notes: vec![
            "the hub wakes 32 readers before it returns and leaves the others to a task; broadcast wakes all"
                .to_owned(),
        ],
    };
    table.limit(OURS, 0, 2.0);
    Ok(vec![table])
}

/// Publishes one event at a time to this number of waiting tasks, while others wait for another topic.
async fn hub(waiting: usize, elsewhere: usize, rounds: usize) -> Result<Cell, Failure> {
    let hub = Hub::memory();
    let taken = Arc::<AtomicUsize>::default();
    let mut tasks = tokio::task::JoinSet::new();
    for (topic, count) in [("here", waiting), ("elsewhere", elsewhere)] {
        for _ in 0..count {
            let mut subscription = hub.subscribe(topic).await?;
            let taken = Arc::clone(&taken);
            tasks.spawn(async move {
                while subscription.next().await.is_some() {
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    settle(waiting + elsewhere).await;
    let data = text();
    let mut samples = Vec::with_capacity(rounds);
    for round in 1..=rounds {
        let start = Instant::now();
        hub.publish("here", Event::message(&data).event("price")).await?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
        until(&taken, round * waiting).await;
        settle(waiting).await;
    }
    tasks.shutdown().await;
    Ok(Cell::of(samples))
}

/// The same through Tokio's channel, which neither keeps nor encodes anything.
async fn channel(waiting: usize, rounds: usize) -> Result<Cell, Failure> {
    let (sender, _kept) = broadcast::channel::<String>(1_024);
    let taken = Arc::<AtomicUsize>::default();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..waiting {
        let mut receiver = sender.subscribe();
        let taken = Arc::clone(&taken);
        tasks.spawn(async move {
            while receiver.recv().await.is_ok() {
                taken.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    settle(waiting).await;
    let data = text();
    let mut samples = Vec::with_capacity(rounds);
    for round in 1..=rounds {
        let start = Instant::now();
        sender.send(data.clone())?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
        until(&taken, round * waiting).await;
        settle(waiting).await;
    }
    tasks.shutdown().await;
    Ok(Cell::of(samples))
}

/// Lets the tasks run until this amount was taken.
async fn until(taken: &AtomicUsize, count: usize) {
    while taken.load(Ordering::Relaxed) < count {
        yield_now().await;
    }
}

/// Lets each of these tasks run once more, so that all of them wait again.
async fn settle(tasks: usize) {
    // The runtime runs at least one task each time.
    for _ in 0..(tasks / 32 + 2) {
        yield_now().await;
    }
}
