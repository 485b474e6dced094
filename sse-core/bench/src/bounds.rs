//! What one request costs everybody else: how long a publish waits at most while it is served.

use std::{
    future::Future as _,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use sse_core::{Event, Hub, Pattern, Retention, Start, Subscription};

use crate::{
    Failure,
    options::Options,
    report::{Cell, Row, Table},
};

/// How often the hub sweeps at most: each eighth tick of 10 ms.
const SWEEPS_EVERY: Duration = Duration::from_millis(80);

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (topics, sets, rounds) = if options.quick { (1_000, 100, 2) } else { (100_000, 16_000, 3) };
    Ok(vec![
        runtime.block_on(requests(topics, rounds))?,
        runtime.block_on(distinct_sets(sets, if options.quick { 3 } else { 21 }))?,
    ])
}

/// Publishes to a topic of its own in a thread of its own, until it is stopped.
struct Probe {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Duration, String>>,
}

impl Probe {
    fn start(hub: &Hub) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let (hub, stop) = (hub.clone(), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Acquire) {
                let start = Instant::now();
                runtime
                    .block_on(hub.publish("probe", Event::message("x")).into_future())
                    .map_err(|error| error.to_string())?;
                longest = longest.max(start.elapsed());
                thread::sleep(Duration::from_micros(50));
            }
            Ok(longest)
        });
        Self { is_over, thread }
    }

    /// The longest that a publish took, in milliseconds.
    fn stop(self) -> Result<f64, Failure> {
        self.is_over.store(true, Ordering::Release);
        let longest = self.thread.join().map_err(|_| "the probe panicked")??;
        Ok(longest.as_secs_f64() * 1e3)
    }
}

/// A hub with as many topics as asked for, each with an event, and as many of which nothing is kept any more.
async fn crowded(topics: usize) -> Result<(Hub, Subscription), Failure> {
    let gone = Pattern::new("gone.>")?;
    let hub = Hub::builder()
        .stalled_after(SWEEPS_EVERY)
        .retention_of(gone, Retention::default().events(0))
        .memory();
    for number in 0..topics {
        hub.publish(format!("t.{number}.x"), Event::message("x")).await?;
        hub.publish(format!("gone.{number}.x"), Event::message("x")).await?;
    }
    // The sweep runs once there was a reader.
    let quiet = hub.subscribe("quiet").await?;
    tokio::time::sleep(10 * SWEEPS_EVERY).await;
    Ok((hub, quiet))
}

async fn requests(topics: usize, rounds: usize) -> Result<Table, Failure> {
    let (hub, _quiet) = crowded(topics).await?;
    let wildcards: Vec<Pattern> =
        (0..100).map(|number| Pattern::new(format!("*.{number}.*"))).collect::<Result<_, _>>()?;
    let all = Pattern::new(">")?;
    let mut rows = Vec::new();
    let labels = [
        "nothing but the sweep",
        "subscribe to `>`, and leave",
        "`>` after a cursor, 100 events behind",
        "subscribe to 100 wildcards, and leave",
    ];
    for label in labels {
        let (mut asked, mut waited) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let cursor = hub.stats().head;
            if label.contains("cursor") {
                for number in 0..100_usize.min(topics) {
                    hub.publish(format!("t.{number}.x"), Event::message("x")).await?;
                }
            }
            let probe = Probe::start(&hub);
            tokio::time::sleep(Duration::from_millis(5)).await;
            let start = Instant::now();
            match label {
                "nothing but the sweep" => tokio::time::sleep(3 * SWEEPS_EVERY).await,
                "subscribe to 100 wildcards, and leave" => drop(hub.subscribe(wildcards.clone()).await?),
                "subscribe to `>`, and leave" => drop(hub.subscribe(all.clone()).await?),
                _ => {
                    let mut reader = hub.subscribe(all.clone()).after(cursor).start(Start::Live).await?;
                    for _ in 0..100_usize.min(topics) {
                        reader.next().await.ok_or("ended")?;
                    }
                }
            }
            asked.push(start.elapsed().as_secs_f64() * 1e3);
            waited.push(probe.stop()?);
        }
        rows.push(Row {
            label: label.to_owned(),
            ours: true,
            cells: vec![Some(Cell::of(asked)), Some(Cell::of(waited))],
        });
    }
    Ok(Table {
        title: format!("bounds: one request over {topics} topics, and as many that are forgotten"),
        unit: "ms",
        columns: vec!["the request".to_owned(), "longest publish meanwhile".to_owned()],
        rows,
        targets: Vec::new(),
        notes: vec!["the publisher is a thread of its own; a busy machine adds its own delays".to_owned()],
    })
}

/// A waker of the usual kind: cloned and dropped by a count.
struct Quiet;

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

async fn distinct_sets(readers: usize, rounds: usize) -> Result<Table, Failure> {
    let waker = Waker::from(Arc::new(Quiet));
    let mut rows = Vec::new();
    for (label, is_distinct) in [("the same topics", false), ("distinct topics, one in common", true)] {
        let hub = Hub::memory();
        let mut waiting = Vec::new();
        for number in 0..readers {
            let user = format!("user.{}", if is_distinct { number } else { 0 });
            waiting.push(hub.subscribe(["news", &user]).await?);
        }
        let (mut published, mut signalled) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let mut context = Context::from_waker(&waker);
            for reader in &mut waiting {
                while pin!(reader.next()).poll(&mut context).is_ready() {}
            }
            let start = Instant::now();
            hub.publish("news", Event::message("x")).await?;
            published.push(start.elapsed().as_secs_f64() * 1e6);
            let start = Instant::now();
            hub.signal("news", Event::message("x"))?;
            signalled.push(start.elapsed().as_secs_f64() * 1e6);
        }
        rows.push(Row {
            label: label.to_owned(),
            ours: true,
            cells: vec![Some(Cell::of(published)), Some(Cell::of(signalled))],
        });
    }
    Ok(Table {
        title: format!("bounds: publish to {readers} readers of two topics"),
        unit: "µs",
        columns: vec!["publish".to_owned(), "signal".to_owned()],
        rows,
        targets: Vec::new(),
        notes: Vec::new(),
    })
}
