//! Publishers and readers: the seed decides what they do, and they record what they receive.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use sse_core::{
    Cursor,
    decode::{Decoder, Message},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{Digest, Published, Reader, Step, node::Node};
use sse_testkit::{Chunks, Exchange, Request};

/// The topics.
pub(super) const TOPICS: [&str; 3] = ["t.a", "t.b", "t.c"];

/// How long a publisher waits for an answer.
const ANSWER: Duration = Duration::from_secs(12);

/// How long a reader continues after the last event was published.
const PATIENCE: Duration = Duration::from_secs(25);

/// The phase of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The faults happen.
    Storm,
    /// Publishers only complete what they have begun.
    Calm,
    /// The last event was published.
    Over,
}

/// Publishes numbered events until the storm is over.
pub(super) async fn publish(
    number: usize,
    nodes: Vec<Arc<Node>>,
    mut random: Rng,
    phase: watch::Receiver<Phase>,
) -> Vec<Published> {
    let mut published = Vec::new();
    while *phase.borrow() == Phase::Storm {
        let name = format!("p{number}.{}", published.len());
        let mut topics = vec![random.choice(TOPICS).unwrap_or(TOPICS[0])];
        if random.u8(..8) == 0 {
            topics = TOPICS.iter().copied().filter(|_| random.bool()).collect();
            topics.extend(topics.is_empty().then_some(TOPICS[1]));
        }
        published.push(publish_one(&name, &topics, &nodes, &mut random).await);
        sleep(Duration::from_millis(random.u64(0..25))).await;
    }
    published
}

/// Publishes one event with its name as the key, again and again until it is acknowledged.
pub(super) async fn publish_one(
    name: &str,
    topics: &[&str],
    nodes: &[Arc<Node>],
    random: &mut Rng,
) -> Published {
    let data = data(name, random);
    let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
    let query: String = topics.iter().map(|topic| format!("topic={topic}&")).collect();
    let target = format!("/publish?{query}key={name}");
    let began = Instant::now();
    let mut acked = None;
    while acked.is_none() && began.elapsed() < PATIENCE {
        let node = &nodes[random.usize(..nodes.len())];
        if let Some(address) = node.address()
            && let Ok(mut answer) =
                Exchange::send(address, Request::post(&*target, data.clone()), ANSWER).await
            && answer.to_end().await.is_ok()
            && answer.status() == 200
        {
            let told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            let id = told["id"].as_str().and_then(|id| id.parse::<Cursor>().ok());
            acked = Some(id.unwrap_or_else(|| panic!("no id in {}", answer.text())));
        } else {
            sleep(Duration::from_millis(random.u64(5..60))).await;
        }
    }
    Published { name: name.to_owned(), digest: Digest::of(&data), topics, acked }
}

/// The data published under a name: the first random draw.
pub(super) fn data(name: &str, random: &mut Rng) -> String {
    format!("{name} {}", "x".repeat(random.usize(..200)))
}

/// One reader, over all its connections.
pub(super) struct Listener {
    pub(super) reader: Reader,
    /// The query of its requests.
    query: String,
    nodes: Vec<Arc<Node>>,
    random: Rng,
    cursor: String,
    /// The events that begin and end the run.
    marks: [Digest; 2],
    pub(super) connections: usize,
}

impl Listener {
    pub(super) fn new(number: usize, nodes: Vec<Arc<Node>>, mut random: Rng, marks: [Digest; 2]) -> Self {
        let asked: &[&str] = match number % 4 {
            0 => &[TOPICS[random.usize(..TOPICS.len())]],
            1 => &["t.*"],
            2 => &[TOPICS[0], TOPICS[2]],
            _ => &[TOPICS[1]],
        };
        let topics = match asked {
            ["t.*"] => TOPICS.map(str::to_owned).into(),
            asked => asked.iter().map(|&topic| topic.to_owned()).collect(),
        };
        let query: String = asked.iter().map(|topic| format!("topic={topic}&")).collect();
        let name = format!("reader {number} of {}", asked.join(" and "));
        let reader = Reader { name, topics, steps: Vec::new(), has_reached_end: false };
        Self { reader, query, nodes, random, cursor: String::new(), marks, connections: 0 }
    }

    /// Reads until the first event has arrived, so that every later event concerns it.
    pub(super) async fn begin(mut self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while self.reader.steps.is_empty() && Instant::now() < deadline {
            let _ = timeout_at(deadline, self.connection(Some(self.marks[0]))).await;
        }
        self
    }

    /// Reads, from varying nodes, until the last event has arrived.
    pub(super) async fn read(mut self, mut phase: watch::Receiver<Phase>) -> Self {
        while *phase.borrow() != Phase::Over {
            // Some stay connected, so that they experience the faults.
            let stays = match self.random.u8(..4) {
                0 => self.random.u64(2_000..8_000),
                _ => self.random.u64(20..700),
            };
            let is_over = phase.wait_for(|phase| *phase == Phase::Over);
            tokio::select! {
                _ = timeout(Duration::from_millis(stays), self.connection(None)) => {}
                _ = is_over => continue,
            }
            // Some stay away until the window, or the engine, has lost what they need.
            if self.random.u8(..6) == 0 {
                sleep(Duration::from_millis(self.random.u64(300..3_000))).await;
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while !self.reader.has_reached_end && Instant::now() < deadline {
            let _ = timeout_at(deadline, self.connection(Some(self.marks[1]))).await;
        }
        self
    }

    /// Reads one connection, until it ends or `last` has arrived. Dropping the future cuts the connection.
    async fn connection(&mut self, last: Option<Digest>) {
        let node = &self.nodes[self.random.usize(..self.nodes.len())];
        let target = format!("/events?{}start=earliest", self.query);
        let Some(address) = node.address() else { return self.pause().await };
        let Ok(mut stream) = Chunks::get(address, &target, &self.cursor).await else {
            return self.pause().await;
        };
        self.connections += 1;
        if stream.status() != 200 {
            self.reader.steps.push(Step::Refused { status: stream.status() });
            return self.pause().await;
        }
        let mut decoder = Decoder::new();
        while let Some(bytes) = stream.next().await {
            for message in decoder.messages(&mut &*bytes) {
                let step = message.ok().map_or(Step::Garbled, |message| self.step(&message));
                self.reader.steps.push(step);
                if let Step::Event { digest, .. } = step {
                    self.reader.has_reached_end |= digest == self.marks[1];
                    if Some(digest) == last {
                        return;
                    }
                }
            }
        }
        self.pause().await;
    }

    fn step(&mut self, message: &Message) -> Step {
        message.last_event_id().clone_into(&mut self.cursor);
        let Ok(id) = message.last_event_id().parse() else { return Step::Garbled };
        match message.event_type() {
            "message" => Step::Event { id, digest: Digest::of(message.data()) },
            "sse.gap" => Step::Gap { id, is_trimmed: message.data().contains(r#""reason":"trimmed""#) },
            "sse.checkpoint" => Step::Checkpoint { id },
            _ => Step::Garbled,
        }
    }

    async fn pause(&mut self) {
        sleep(Duration::from_millis(self.random.u64(10..80))).await;
    }
}
