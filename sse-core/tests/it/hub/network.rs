//! Promises G3, G4, G5, G13 and the rules of finishing over a simulated network: publishers; readers whose
//! connections are slow, split and cut at any byte; a history that is trimmed and becomes unavailable; topics that
//! are finished and reopened; and processes that shut down while others start. Each seed is one run with its own
//! clock; `SSE_NETWORK_SEEDS=10000` runs the long form, and `SSE_NETWORK_SEED=7` repeats one.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use crate::common::fake_history::Scripted;
use futures_util::StreamExt;
use sse_core::{
    Body, Cursor, Event, EventStream, Hub, Pattern, Retention, Shutdown, Start, Topic, decode::Decoder,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

const TOPICS: [&str; 4] = ["a.1", "a.2", "b", "c"];
const ASKED: [&[&str]; 6] = [&["a.1"], &["a.1", "b"], &["a.*"], &[">"], &["c", "a.*"], &["c"]];

/// Maximum duration of a shutdown.
const WINDOW: Duration = Duration::from_secs(4);

/// Longer than any healthy reader needs for all events.
const ENOUGH: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The published records: by position, the topics, and the data unless it is an end.
type Published = BTreeMap<u64, (Vec<String>, Option<String>)>;

/// The state that all tasks of a run share.
struct World {
    history: Scripted,
    process: Mutex<(Hub, Shutdown)>,
    published: Mutex<Published>,
    /// Records before this position are trimmed.
    oldest: Mutex<u64>,
    is_done: Mutex<bool>,
    totals: Mutex<Totals>,
}

/// Counters of one run or of all: a simulation in which nothing happens proves nothing.
#[derive(Debug, Default)]
struct Totals {
    events: u64,
    connections: u64,
    cuts: u64,
    gaps: u64,
    ends: u64,
    no_content: u64,
    restarts: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

async fn process(history: &Scripted) -> (Hub, Shutdown) {
    let shutdown = Shutdown::within(WINDOW);
    let hub = Hub::builder().retention(Retention::default().events(6)).shutdown(shutdown.clone());
    (hub.open(history.clone()).await.expect("opened"), shutdown)
}

impl World {
    fn hub(&self) -> Hub {
        lock(&self.process).0.clone()
    }

    /// Applies the seed's faults, then removes all of them.
    async fn drive(&self, random: &mut fastrand::Rng) {
        for number in 0..80 {
            sleep(Duration::from_millis(random.u64(..60))).await;
            match random.u8(..40) {
                0 => self.history.set_down(true),
                1..=4 => self.history.set_down(false),
                5 | 6 => {
                    let head = self.history.head();
                    let oldest = (*lock(&self.oldest)).max(head.saturating_sub(random.u64(..12)));
                    *lock(&self.oldest) = oldest.max(1);
                    self.history.trim(oldest.max(1));
                }
                7 | 8 => self.finish(TOPICS[random.usize(..TOPICS.len())]).await,
                9 => self.restart().await,
                _ => self.publish(random, number).await,
            }
        }
        self.history.set_down(false);
        sleep(Duration::from_secs(5)).await;
        *lock(&self.is_done) = true;
    }

    async fn publish(&self, random: &mut fastrand::Rng, number: u64) {
        let mut topics = vec![TOPICS[random.usize(..TOPICS.len())].to_owned()];
        if random.u8(..5) == 0 {
            topics.push(TOPICS[random.usize(..TOPICS.len())].to_owned());
        }
        let data = format!("{number} {}", "x".repeat(random.usize(..40)));
        if let Ok(receipt) = self.hub().publish(&topics, Event::message(&data)).await {
            lock(&self.published).insert(receipt.cursor.seq(), (topics, Some(data)));
        }
    }

    async fn finish(&self, topic: &str) {
        if let Ok(receipt) = self.hub().finish(topic).await {
            lock(&self.published).insert(receipt.cursor.seq(), (vec![topic.to_owned()], None));
        }
    }

    /// A new process takes over while the old one drains.
    async fn restart(&self) {
        self.history.set_down(false);
        let next = process(&self.history).await;
        let (_, old) = std::mem::replace(&mut *lock(&self.process), next);
        old.notify();
        lock(&self.totals).restarts += 1;
    }
}

/// A reader that behaves like a browser: it keeps its last id, and stops after 204.
struct Reader {
    world: Arc<World>,
    random: fastrand::Rng,
    asked: &'static [&'static str],
    last: Option<Cursor>,
    began_after: u64,
    seen: BTreeMap<u64, String>,
    covered: Vec<(u64, u64)>,
    stays_away: bool,
}

impl Reader {
    async fn run(mut self) -> Self {
        while !self.stays_away {
            let is_last = *lock(&self.world.is_done);
            self.connect(is_last).await;
            if is_last {
                break;
            }
            sleep(Duration::from_millis(self.random.u64(..300))).await;
        }
        self
    }

    async fn connect(&mut self, is_last: bool) {
        let (hub, shutdown) = lock(&self.world.process).clone();
        let asked: Vec<_> = self.asked.iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
        let subscribed = hub.subscribe(asked).after(self.last).start(Start::Earliest).await;
        let subscription = subscribed.expect("never for a reason of ours");
        if self.last.is_none() {
            // Events trimmed before it came do not concern it.
            self.began_after = *lock(&self.world.oldest) - 1;
        }
        lock(&self.world.totals).connections += 1;
        let response = EventStream::new(subscription).into_response();
        if response.status() == 204 {
            lock(&self.world.totals).no_content += 1;
            self.stays_away = true;
            return;
        }
        assert_eq!(response.status(), 200);
        let cut_after =
            if is_last || self.random.u8(..4) == 0 { usize::MAX } else { self.random.usize(..600) };
        let is_whole = self.read(response.into_body(), cut_after, is_last).await;
        match is_whole {
            Some(is_whole) => assert!(is_whole, "a stream ended within an event"),
            None => assert!(!shutdown.has_begun(), "a stream outlived its process"),
        }
    }

    /// Reads a body until it ends, is cut, or nothing more is to come; returns whether it ended complete, if it ended.
    async fn read(&mut self, mut body: Body, cut_after: usize, is_last: bool) -> Option<bool> {
        let mut decoder = Decoder::new();
        let mut left = cut_after;
        let patience = Instant::now() + ENOUGH;
        // On one connection positions increase, also from the position where it resumes.
        let mut position = self.last.map_or(0, Cursor::seq);
        loop {
            let Ok(bytes) = timeout_at(patience, body.next()).await else { return None };
            let Some(bytes) = bytes else { return Some(!decoder.is_mid_event()) };
            let bytes = bytes.unwrap_or_else(|never| match never {});
            let mut arrived = &bytes[..bytes.len().min(left)];
            left -= arrived.len();
            while !arrived.is_empty() {
                let (mut part, rest) = arrived.split_at(self.random.usize(1..=arrived.len()));
                arrived = rest;
                for message in decoder.messages(&mut part) {
                    let message = message.expect("valid");
                    // An end that follows a gap beyond it has no id of its own.
                    let Ok(cursor) = message.last_event_id().parse() else {
                        assert_eq!((message.event_type(), message.last_event_id()), ("sse.end", ""));
                        continue;
                    };
                    self.take(message.event_type(), message.data(), cursor, &mut position);
                }
            }
            if left == 0 {
                lock(&self.world.totals).cuts += 1;
                return Some(true);
            }
            if !is_last && self.random.u8(..3) == 0 {
                sleep(Duration::from_millis(self.random.u64(..400))).await;
            }
        }
    }

    fn take(&mut self, event_type: &str, data: &str, cursor: Cursor, position: &mut u64) {
        let seq = cursor.seq();
        match event_type {
            "sse.gap" => {
                lock(&self.world.totals).gaps += 1;
                let oldest = *lock(&self.world.oldest);
                let published = lock(&self.world.published);
                // A history knows the last record of a topic, so one that was silent since gives no gap.
                let mut later = published.range(*position + 1..);
                let is_needed =
                    oldest > *position + 1 && later.any(|(_, (topics, _))| asks_for(self.asked, topics));
                assert!(
                    is_needed,
                    "a gap from {position} to {seq} for {:?}, although nothing asked for was trimmed before {oldest}",
                    self.asked,
                );
                self.covered.push((*position, seq));
            }
            "sse.checkpoint" => assert!(seq >= *position, "a checkpoint from {position} back to {seq}"),
            "sse.end" => {
                lock(&self.world.totals).ends += 1;
                assert!(seq >= *position, "an end at {seq} after {position}");
            }
            _ => {
                lock(&self.world.totals).events += 1;
                assert!(seq > *position, "{seq} after {position}");
                let before = self.seen.insert(seq, data.to_owned());
                assert!(before.is_none(), "{seq} came twice");
            }
        }
        *position = seq;
        self.last = Some(cursor);
    }

    fn check(&self, published: &Published) {
        for (seq, data) in &self.seen {
            let (topics, said) = &published[seq];
            assert_eq!(said.as_ref(), Some(data), "what stands at {seq}");
            assert!(asks_for(self.asked, topics), "{seq} was not asked for");
        }
        // A reader that got the end of all topics does not see a topic that is reopened.
        let until = if self.stays_away { self.last.map_or(0, Cursor::seq) } else { u64::MAX };
        for (seq, (topics, data)) in published.range(self.began_after + 1..) {
            let is_told = self.seen.contains_key(seq)
                || self.covered.iter().any(|(from, to)| from < seq && seq <= to)
                || *seq > until;
            let is_due = data.is_some() && asks_for(self.asked, topics);
            assert!(
                is_told || !is_due,
                "{seq} of {topics:?} was lost silently by a reader of {:?}",
                self.asked
            );
        }
    }
}

fn asks_for(asked: &[&str], topics: &[String]) -> bool {
    asked.iter().any(|pattern| {
        let pattern = Pattern::new(pattern).expect("a pattern");
        topics.iter().any(|topic| pattern.matches(&Topic::new(topic).expect("a topic")))
    })
}

async fn run(seed: u64) -> Totals {
    fastrand::seed(seed);
    let history = Scripted::new();
    let world = Arc::new(World {
        process: Mutex::new(process(&history).await),
        history,
        published: Mutex::default(),
        oldest: Mutex::new(1),
        is_done: Mutex::new(false),
        totals: Mutex::default(),
    });
    let readers: Vec<_> = (0..6_u64)
        .map(|number| {
            let asked = ASKED[usize::try_from(number).expect("small") % ASKED.len()];
            let reader = Reader {
                world: Arc::clone(&world),
                random: fastrand::Rng::with_seed(seed * 31 + number),
                asked,
                last: None,
                began_after: 0,
                seen: BTreeMap::new(),
                covered: Vec::new(),
                stays_away: false,
            };
            tokio::spawn(reader.run())
        })
        .collect();
    world.drive(&mut fastrand::Rng::with_seed(seed)).await;
    for reader in readers {
        let reader = timeout(3 * ENOUGH, reader).await.expect("a reader is done in time").expect("a reader");
        reader.check(&lock(&world.published));
    }
    std::mem::take(&mut *lock(&world.totals))
}

#[test]
fn g3_g4_g5_g13_hold_over_cuts_and_restarts() {
    let one = number("SSE_NETWORK_SEED");
    let (first, count) = match one {
        Some(seed) => (seed, 1),
        None => (fastrand::u64(..1 << 32), number("SSE_NETWORK_SEEDS").unwrap_or(40)),
    };
    let mut sum = Totals::default();
    for seed in first..first + count {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = AssertUnwindSafe(runtime.expect("a runtime"));
        let totals = catch_unwind(|| runtime.block_on(run(seed)));
        let totals = totals.unwrap_or_else(|_| panic!("repeat it with SSE_NETWORK_SEED={seed}"));
        sum.events += totals.events;
        sum.connections += totals.connections;
        sum.cuts += totals.cuts;
        sum.gaps += totals.gaps;
        sum.ends += totals.ends;
        sum.no_content += totals.no_content;
        sum.restarts += totals.restarts;
    }
    println!("{count} seeds: {sum:?}");
    if one.is_none() {
        let tried = [sum.events, sum.cuts, sum.gaps, sum.ends, sum.no_content, sum.restarts];
        assert!(tried.iter().all(|count| *count > 0), "something never happened: {sum:?}");
    }
}
