//! What a delivery costs without sockets: the bodies themselves, polled as a server polls them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use axum::response::{IntoResponse as _, Sse, sse};
use futures_util::{Stream, StreamExt as _};
use http_body::Body as _;
use sse_core::{EventStream, Hub};
use tokio::sync::broadcast;

use super::BURSTS;
use crate::{
    Failure,
    machine::versioned,
    options::Options,
    report::{Cell, Row, Table},
    servers::{Log, Source, ticks},
};

/// A response's body, each item the length of a chunk.
type Body = Pin<Box<dyn Stream<Item = usize>>>;

/// The row of our own body.
const OURS: &str = "sse-core";

/// Counts who was woken, as a task's waker does by its own atomics.
#[derive(Default)]
struct Woken(Arc<AtomicUsize>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One kind of body, many times.
struct Contestant {
    label: String,
    source: Source,
    bodies: Vec<(Body, Waker)>,
    woken: Arc<AtomicUsize>,
}

pub(super) fn run(options: &Options) -> Result<Table, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Tokio limits how many ready channels and timers a task may take in one poll; a server polls each
    // body in a task of its own.
    runtime.block_on(tokio::task::unconstrained(measured(options)))
}

async fn measured(options: &Options) -> Result<Table, Failure> {
    let (count, rounds, slice) = if options.quick {
        (20, 3, Duration::from_millis(2))
    } else {
        (1_000, 15, Duration::from_millis(40))
    };
    let mut contestants = contestants(count).await?;
    let mut samples = vec![[const { Vec::new() }; BURSTS.len()]; contestants.len()];
    for round in 0..rounds {
        for (column, burst) in BURSTS.into_iter().enumerate() {
            for place in 0..contestants.len() {
                let index = (place + round) % contestants.len();
                let Some(contestant) = contestants.get_mut(index) else { continue };
                let sample = contestant.sliced(burst, slice).await?;
                if let Some(samples) = samples.get_mut(index).and_then(|columns| columns.get_mut(column)) {
                    samples.push(sample);
                }
            }
        }
    }
    let rows = contestants.iter().zip(samples).map(|(contestant, samples)| Row {
        label: contestant.label.clone(),
        ours: contestant.label == OURS,
        cells: samples.into_iter().map(|samples| Some(Cell::of(samples))).collect(),
    });
    let mut table = Table {
        title: format!("fan-out to {count} bodies without sockets"),
        unit: "ns a delivery",
        columns: BURSTS.iter().map(|burst| format!("{burst} a wake")).collect(),
        rows: rows.collect(),
        targets: Vec::new(),
        notes: vec!["publishing, waking and polling each body until it has nothing more".to_owned()],
    };
    for (column, limit) in [100.0, 7.0, 2.0].into_iter().enumerate() {
        table.limit(OURS, column, limit);
    }
    Ok(table)
}

async fn contestants(count: usize) -> Result<Vec<Contestant>, Failure> {
    let hub = Hub::memory();
    let mut ours: Vec<Body> = Vec::new();
    for _ in 0..count {
        let subscription = hub.subscribe("prices").await?;
        let body = EventStream::new(subscription).into_response().into_body();
        ours.push(Box::pin(body.map(|Ok(bytes)| bytes.len())));
    }
    let sender = broadcast::channel(1_024).0;
    let own = (0..count).map(|_| {
        let response = Sse::new(ticks(&sender)).keep_alive(sse::KeepAlive::default()).into_response();
        axum_body(response.into_body())
    });
    let own = own.collect();
    let log = Arc::<Log>::default();
    let by_hand = (0..count).map(|_| {
        let chunks = log.chunks().map(Ok::<_, std::convert::Infallible>);
        axum_body(axum::body::Body::from_stream(chunks))
    });
    let by_hand = by_hand.collect();
    let broadcast = Source::Broadcast { sender, next: Arc::default() };
    let mut contestants = vec![
        Contestant::new(OURS.to_owned(), Source::Hub(hub), ours),
        Contestant::new(versioned("axum"), broadcast, own),
        Contestant::new("axum, shared chunks by hand".to_owned(), Source::HandWritten(log), by_hand),
    ];
    // The first bytes are sent at once and by the way.
    for contestant in &mut contestants {
        contestant.poll();
    }
    Ok(contestants)
}

impl Contestant {
    fn new(label: String, source: Source, bodies: Vec<Body>) -> Self {
        let woken = Arc::<AtomicUsize>::default();
        let bodies = bodies.into_iter().map(|body| (body, Waker::from(Arc::new(Woken(Arc::clone(&woken))))));
        Self { label, source, bodies: bodies.collect(), woken }
    }

    /// Nanoseconds a delivery.
    async fn sliced(&mut self, burst: usize, slice: Duration) -> Result<f64, Failure> {
        let start = Instant::now();
        let mut deliveries = 0;
        while start.elapsed() < slice {
            self.woken.store(0, Ordering::Relaxed);
            self.source.publish(burst).await?;
            while self.woken.load(Ordering::Relaxed) < self.bodies.len() {
                tokio::task::yield_now().await;
            }
            if self.poll() == 0 {
                return Err(format!("{}: a woken body had nothing", self.label).into());
            }
            deliveries += self.bodies.len() * burst;
        }
        Ok(start.elapsed().as_secs_f64() * 1e9 / deliveries as f64)
    }

    /// Takes everything from all bodies; returns the bytes' number.
    fn poll(&mut self) -> usize {
        let mut bytes = 0;
        for (body, waker) in &mut self.bodies {
            let mut context = Context::from_waker(waker);
            while let Poll::Ready(Some(len)) = body.as_mut().poll_next(&mut context) {
                bytes += len;
            }
        }
        bytes
    }
}

fn axum_body(body: axum::body::Body) -> Body {
    let mut body = Box::pin(body);
    Box::pin(futures_util::stream::poll_fn(move |cx| {
        body.as_mut().poll_frame(cx).map(|frame| {
            let data = frame?.ok().and_then(|frame| frame.into_data().ok());
            Some(data.map_or(0, |data| data.len()))
        })
    }))
}
