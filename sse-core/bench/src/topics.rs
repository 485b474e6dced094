//! Whether publishing and waking cost by the matching readers only.

use std::{
    future::Future as _,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use sse_core::{Event, Frame, Hub, Pattern, Subscription};

use crate::{
    Failure,
    options::Options,
    report::{Cell, Row, Table},
    servers::text,
};

/// A waker of the usual kind: cloned and dropped by a count.
struct Quiet;

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

/// A hub with many readers, one of which gets what is published.
struct Scene {
    label: &'static str,
    hub: Hub,
    topic: &'static str,
    /// The one that gets it; the others wait.
    reader: Subscription,
    others: Vec<Subscription>,
}

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measured(options))
}

async fn measured(options: &Options) -> Result<Vec<Table>, Failure> {
    let (many, rounds, events) = if options.quick { (100, 3, 20) } else { (10_000, 21, 2_000) };
    let waker = Waker::from(Arc::new(Quiet));
    let mut scenes = scenes(many).await?;
    for scene in &mut scenes {
        let mut context = Context::from_waker(&waker);
        for reader in scene.others.iter_mut().chain([&mut scene.reader]) {
            // Nothing is there yet: it only waits from here on.
            let _ = next(reader, &mut context);
        }
    }
    let mut samples = vec![Vec::new(); scenes.len()];
    for round in 0..rounds {
        for place in 0..scenes.len() {
            let index = (place + round) % scenes.len();
            if let (Some(scene), Some(samples)) = (scenes.get_mut(index), samples.get_mut(index)) {
                samples.push(scene.sliced(events, &waker).await?);
            }
        }
    }
    let rows = scenes.iter().zip(samples).map(|(scene, samples)| Row {
        label: scene.label.to_owned(),
        ours: true,
        cells: vec![Some(Cell::of(samples))],
    });
    Ok(vec![Table {
        title: format!("many topics: publish to one, and its reader takes it ({many} topics or readers)"),
        unit: "ns an event",
        columns: vec!["publish and take".to_owned()],
        rows: rows.collect(),
        targets: Vec::new(),
        notes: vec!["the first row is the least there can be: one topic, one reader".to_owned()],
    }])
}

async fn scenes(many: usize) -> Result<Vec<Scene>, Failure> {
    let mut scenes = Vec::new();
    let hub = Hub::memory();
    let reader = hub.subscribe("t.7.x").await?;
    scenes.push(Scene { label: "1 topic, 1 reader", hub, topic: "t.7.x", reader, others: Vec::new() });

    let hub = Hub::memory();
    let mut others = Vec::new();
    for number in (0..many).filter(|number| *number != 7) {
        others.push(hub.subscribe(format!("t.{number}.x")).await?);
    }
    let reader = hub.subscribe("t.7.x").await?;
    scenes.push(Scene { label: "many topics, a reader each", hub, topic: "t.7.x", reader, others });

    let hub = Hub::memory();
    let mut others = Vec::new();
    for number in (0..many).filter(|number| *number != 7) {
        others.push(hub.subscribe(Pattern::new(format!("t.{number}.*"))?).await?);
    }
    let reader = hub.subscribe(Pattern::new("t.7.*")?).await?;
    scenes.push(Scene { label: "many wildcards, a reader each", hub, topic: "t.7.x", reader, others });

    let hub = Hub::builder().max_topics(1_000).memory();
    let topics: Vec<String> = (0..1_000).map(|number| format!("t.{number}.x")).collect();
    let reader = hub.subscribe(topics).await?;
    scenes.push(Scene { label: "1 reader of 1,000 topics", hub, topic: "t.7.x", reader, others: Vec::new() });
    Ok(scenes)
}

/// Asks for the next frame once.
fn next(reader: &mut Subscription, context: &mut Context<'_>) -> Poll<Option<Frame>> {
    pin!(reader.next()).poll(context)
}

impl Scene {
    /// Nanoseconds an event.
    async fn sliced(&mut self, events: usize, waker: &Waker) -> Result<f64, Failure> {
        let data = text();
        let mut context = Context::from_waker(waker);
        let start = Instant::now();
        for _ in 0..events {
            self.hub.publish(self.topic, Event::message(&data).event("price")).await?;
            let taken = next(&mut self.reader, &mut context);
            if !matches!(taken, Poll::Ready(Some(_))) {
                return Err(format!("{}: the reader did not get it", self.label).into());
            }
            let _ = next(&mut self.reader, &mut context);
        }
        Ok(start.elapsed().as_secs_f64() * 1e9 / events as f64)
    }
}
