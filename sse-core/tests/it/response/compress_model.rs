//! Random sequences with many readers: the decompressed bytes of each equal those of a reader without compression.
#![cfg(feature = "compress")]

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::common::{gunzip::unzipped, requests};
use futures_util::Stream as _;
use proptest::prelude::*;
use sse_core::{Body, Event, EventStream, Hub, KeepAlive, Pattern, Retention, Start, Subscribe, Topic};
use tokio::{sync::oneshot, task::unconstrained};

const TOPICS: [&str; 3] = ["a", "b", "b.c"];
const ASKED: [&[&str]; 4] = [&["a"], &["a", "b"], &["b.*"], &["b", "a", "b.c"]];

#[derive(Debug, Clone)]
enum Step {
    Publish {
        topics: usize,
        size: usize,
    },
    Signal {
        topic: usize,
    },
    /// A reader joins, with these topics, start and kind.
    Join {
        asks: usize,
        start: usize,
        keeps_alive: bool,
        is_filtered: bool,
    },
    /// Reads everything available.
    Drain {
        reader: usize,
    },
    /// Reads this number of chunks, if that can be compared.
    Take {
        reader: usize,
        chunks: usize,
    },
    DrainAll,
    Pass {
        seconds: u64,
    },
    Disconnect {
        topic: usize,
    },
    /// Ends one.
    EndReason {
        reader: usize,
    },
}

/// An additional condition of a sequence, and what cannot be compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Compressed readers take less at once.
    Partial,
    /// The position of a signal among events depends on when it is taken.
    Signals,
    /// Few events of a topic are kept; a lagging reader may still get an event that another got and that was
    /// evicted since.
    Evicts(usize),
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Partial), Just(Kind::Signals), (2usize..12).prop_map(Kind::Evicts)]
}

fn step() -> impl Strategy<Value = Step> {
    let reader = 0usize..100;
    prop_oneof![
        20 => (0usize..5, 0usize..400).prop_map(|(topics, size)| Step::Publish { topics, size }),
        1 => (0usize..3).prop_map(|topic| Step::Signal { topic }),
        4 => (0usize..4, 0usize..8, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
            |(asks, start, keeps_alive, is_filtered)| Step::Join { asks, start, keeps_alive, is_filtered }
        ),
        12 => reader.clone().prop_map(|reader| Step::Drain { reader }),
        6 => (reader.clone(), 1usize..4).prop_map(|(reader, chunks)| Step::Take { reader, chunks }),
        5 => Just(Step::DrainAll),
        2 => (1u64..12).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0usize..3).prop_map(|topic| Step::Disconnect { topic }),
        1 => reader.prop_map(|reader| Step::EndReason { reader }),
    ]
}

/// The same reader twice: without compression and with.
struct Pair {
    plain: Half,
    zipped: Half,
    number: u64,
    polls: u64,
    keeps_alive: bool,
    is_filtered: bool,
    asks: usize,
    /// Where it began, if that is known.
    began_at: Option<u64>,
}

struct Half {
    body: Pin<Box<Body>>,
    bytes: Vec<u8>,
    is_over: bool,
    end: Option<oneshot::Sender<()>>,
}

impl Half {
    /// One chunk, if there is one.
    fn take(&mut self) -> bool {
        if self.is_over {
            return false;
        }
        match self.body.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(bytes))) => self.bytes.extend_from_slice(&bytes),
            Poll::Ready(None) => self.is_over = true,
            Poll::Pending => return false,
        }
        true
    }
}

impl Pair {
    async fn join(hub: &Hub, number: u64, head: u64, join: (usize, usize, bool, bool)) -> Self {
        let (asks, start, keeps_alive, is_filtered) = join;
        let mut halves = Vec::new();
        for accepts in ["identity", "gzip"] {
            // Both draw the same delays.
            fastrand::seed(number);
            let topics: Vec<_> =
                ASKED[asks].iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
            let mut subscribe: Subscribe = hub.subscribe(topics).start(match start {
                0 => Start::Earliest,
                1 => Start::Latest(3),
                _ => Start::Live,
            });
            if is_filtered {
                subscribe = subscribe.filter(|event| event.data().len() % 3 != 0);
            }
            let subscription = subscribe.await.expect("a reader");
            let (end, ended) = oneshot::channel();
            let stream = EventStream::new(subscription)
                .keep_alive(keeps_alive.then(|| KeepAlive::every(Duration::from_secs(5))))
                .until(async move { drop(ended.await) })
                .compress_for(&requests::get("/", &[("accept-encoding", accepts)]));
            let body = Box::pin(stream.into_response().into_body());
            halves.push(Half { body, bytes: Vec::new(), is_over: false, end: Some(end) });
        }
        let (Some(zipped), Some(plain)) = (halves.pop(), halves.pop()) else { unreachable!() };
        let began_at = (start > 1).then_some(head);
        Self { plain, zipped, number, polls: 0, keeps_alive, is_filtered, asks, began_at }
    }

    /// Whether every event after its beginning is present in order, or a gap in its place.
    fn check_positions(&self, text: &str, published: &[(u64, Vec<String>)]) -> Result<(), TestCaseError> {
        let patterns: Vec<_> =
            ASKED[self.asks].iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
        let concerns = |topics: &[String]| {
            let mut topics = topics.iter().map(|text| Topic::new(text).expect("a topic"));
            topics.any(|topic| patterns.iter().any(|pattern| pattern.matches(&topic)))
        };
        // For a reader that starts with retained events, topics may begin at different positions.
        let Some(mut before) = self.began_at.filter(|_| !self.is_filtered) else { return Ok(()) };
        for block in text.split("\n\n") {
            let id = block.lines().find_map(|line| line.strip_prefix("id: ")?.rsplit_once('-'));
            let Some(seq) = id.map(|(_, seq)| seq.parse::<u64>().expect("a position")) else { continue };
            if !block.contains("event: sse.") {
                let missed = |(other, topics): &&(u64, Vec<String>)| {
                    before < *other && *other < seq && concerns(topics)
                };
                prop_assert_eq!(published.iter().find(missed), None, "after {}", before);
                prop_assert!(before < seq);
            }
            before = seq;
        }
        Ok(())
    }

    fn drain(&mut self) {
        self.polls += 1;
        for half in [&mut self.plain, &mut self.zipped] {
            fastrand::seed(self.number << 32 | self.polls);
            while half.take() {}
        }
    }

    /// Only the compressed half, which has different chunks.
    fn take(&mut self, chunks: usize) {
        for _ in 0..chunks {
            self.zipped.take();
        }
    }

    fn end(&mut self) {
        for half in [&mut self.plain, &mut self.zipped] {
            if let Some(end) = half.end.take() {
                let _ = end.send(());
            }
        }
    }
}

/// Runs a sequence; returns the number of sent bytes, compressed and not.
async fn run(steps: Vec<Step>, kind: Kind) -> Result<(usize, usize), TestCaseError> {
    let retention = match kind {
        Kind::Evicts(keeps) => Retention::default().events(keeps),
        _ => Retention::default(),
    };
    let hub = Hub::builder().retention(retention).stalled_after(Duration::from_secs(3600)).memory();
    let mut pairs: Vec<Pair> = Vec::new();
    let mut published: Vec<(u64, Vec<String>)> = Vec::new();
    for (n, step) in steps.into_iter().enumerate() {
        let count = pairs.len().max(1);
        match step {
            Step::Publish { topics, size } => {
                let topics: &[&str] = match topics {
                    3 => &["a", "b"],
                    4 => &["a", "b.c"],
                    topic => &TOPICS[topic..=topic],
                };
                let text: String = format!("{{\"price\":1.0{n},\"name\":\"EURUSD\"}} ").repeat(size / 20 + 1);
                let topics: Vec<_> = topics.iter().map(|topic| topic.to_string()).collect();
                published.push((published.len() as u64 + 1, topics.clone()));
                hub.publish(topics, Event::message(&text[..size.min(text.len())])).await.expect("published");
            }
            Step::Signal { .. } if kind == Kind::Partial => {}
            Step::Signal { topic } => {
                hub.signal(TOPICS[topic], Event::message(format!("typing {n}"))).expect("signalled");
            }
            Step::Join { asks, start, keeps_alive, is_filtered } => {
                let join = (asks, start, keeps_alive, is_filtered);
                pairs.push(Pair::join(&hub, n as u64 + 1, published.len() as u64, join).await);
            }
            Step::Drain { reader } => {
                if let Some(pair) = pairs.get_mut(reader % count) {
                    pair.drain();
                }
            }
            Step::Take { reader, chunks } => {
                if let Some(pair) =
                    pairs.get_mut(reader % count).filter(|pair| !pair.keeps_alive && kind == Kind::Partial)
                {
                    pair.take(chunks);
                }
            }
            Step::DrainAll => pairs.iter_mut().for_each(Pair::drain),
            Step::Pass { seconds } => {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                tokio::task::yield_now().await;
            }
            Step::Disconnect { topic } => {
                pairs.iter_mut().for_each(Pair::drain);
                hub.disconnect(TOPICS[topic]).expect("disconnected");
                pairs.iter_mut().for_each(Pair::drain);
            }
            Step::EndReason { reader } => {
                if let Some(pair) = pairs.get_mut(reader % count) {
                    pair.drain();
                    pair.end();
                    pair.drain();
                }
            }
        }
    }
    let (mut plain, mut zipped) = (0, 0);
    for pair in &mut pairs {
        pair.drain();
        pair.end();
        pair.drain();
        prop_assert!(pair.plain.is_over && pair.zipped.is_over);
        let unzipped = unzipped(&pair.zipped.bytes);
        let unzipped = String::from_utf8_lossy(&unzipped);
        if !matches!(kind, Kind::Evicts(_)) {
            prop_assert_eq!(&unzipped, &String::from_utf8_lossy(&pair.plain.bytes));
        }
        pair.check_positions(&unzipped, &published)?;
        plain += pair.plain.bytes.len();
        zipped += pair.zipped.bytes.len();
    }
    Ok((plain, zipped))
}

fn live(steps: Vec<Step>, kind: Kind) -> Result<(usize, usize), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(unconstrained(run(steps, kind)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_reader_gets_what_it_would_get_without(
        steps in prop::collection::vec(step(), 1..250),
        kind in kind(),
    ) {
        live(steps, kind)?;
    }
}

#[test]
fn a_long_life_shrinks_what_is_sent() {
    let mut steps: Vec<_> =
        (0..4).map(|_| Step::Join { asks: 0, start: 2, keeps_alive: true, is_filtered: false }).collect();
    for n in 0..300 {
        steps.push(Step::Publish { topics: 0, size: 140 });
        steps.push(Step::DrainAll);
        if n % 100 == 50 {
            steps.push(Step::Pass { seconds: 11 });
            steps.push(Step::DrainAll);
        }
    }
    let (plain, zipped) = live(steps, Kind::Partial).expect("equal");
    assert!(zipped * 3 < plain, "{zipped} of {plain} bytes");
}
