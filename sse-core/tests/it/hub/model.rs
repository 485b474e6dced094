//! Promises G3, G4 and G5 under real concurrency: publishers, readers that come and go, a window that evicts.
//!
//! Each reader checks what it receives; at the end no published event may be missing that was neither received nor
//! covered by a gap notice. `SSE_MODEL_ROUNDS` sets a larger number of rounds than the short form has.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::reader::message;
use sse_core::{Cursor, Event, Hub, Pattern, Retention, Start, Subscription};

/// The events published to the topics of a reader, by position.
type Published = Arc<Mutex<BTreeMap<u64, (Vec<String>, String)>>>;

const TOPICS: [&str; 4] = ["a.1", "a.2", "b.1", "c"];
const ASKED: [&[&str]; 6] = [&["a.1"], &["a.1", "a.2"], &["a.*"], &[">"], &["c", "b.*"], &["b.1", "never"]];

/// A window size that keeps all events of a round.
const KEEPS_ALL: usize = 10_000;

fn rounds() -> u64 {
    std::env::var("SSE_MODEL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(6)
}

/// How a reader reads; the same promises apply to all.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    /// Some events are withheld from it.
    Filtered,
    /// The reader first asks for other topics, and gets its topics afterwards.
    Switched,
}

const KINDS: [Kind; 3] = [Kind::Plain, Kind::Filtered, Kind::Switched];

fn is_withheld(data: &str) -> bool {
    data.ends_with(['1', '4', '7'])
}

/// One reader: what it has seen by position, and the ranges that gap notices covered.
struct Reader {
    kind: Kind,
    asked: &'static [&'static str],
    last: Option<Cursor>,
    /// Whether the window keeps everything.
    keeps_all: bool,
    /// The position after which it must get every event: the head at the subscription; earlier events may have been
    /// evicted.
    began_after: Option<u64>,
    seen: BTreeMap<u64, String>,
    covered: Vec<(u64, u64)>,
}

impl Reader {
    async fn connect(&mut self, hub: &Hub) -> Subscription {
        let patterns = |topics: &[&str]| -> Vec<_> {
            topics.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
        };
        let subscribe =
            |topics: &[&str]| hub.subscribe(patterns(topics)).after(self.last).start(Start::Earliest);
        let subscription = match self.kind {
            Kind::Plain => subscribe(self.asked).await.expect("subscribed"),
            Kind::Filtered => {
                let subscribe = subscribe(self.asked).filter(|event| !is_withheld(&event.data()));
                subscribe.await.expect("subscribed")
            }
            Kind::Switched => {
                let subscription = subscribe(&["a.2", "nothing"]).await.expect("subscribed");
                subscription.handle().set_topics(patterns(self.asked)).expect("valid topics");
                subscription
            }
        };
        if self.last.is_none() {
            // A reader that is switched to other topics keeps the position at which it began with the earlier ones.
            let gets_all = self.keeps_all && self.kind != Kind::Switched;
            self.began_after = Some(if gets_all { 0 } else { hub.stats().head.seq() });
        }
        subscription
    }

    /// Takes frames until none comes for a moment or `most` were taken; returns whether the hub ended the reader.
    async fn take(&mut self, subscription: &mut Subscription, most: usize) -> bool {
        let mut position = self.last.map(Cursor::seq);
        for _ in 0..most {
            let Ok(frame) = tokio::time::timeout(Duration::from_millis(30), subscription.next()).await else {
                return false;
            };
            // A reader whose task did not run for a while is dropped as stalled, and resumes.
            let Some(frame) = frame else { return true };
            let message = message(frame.as_ref());
            let cursor: Cursor = message.last_event_id().parse().expect("a cursor");
            if message.event_type() == "sse.gap" {
                self.covered.push((position.unwrap_or(0), cursor.seq()));
            } else {
                assert!(position.is_none_or(|last| last < cursor.seq()), "{position:?} then {cursor}");
                let before = self.seen.insert(cursor.seq(), message.data().to_owned());
                assert!(before.is_none(), "{cursor} came twice");
            }
            position = Some(cursor.seq());
            self.last = Some(cursor);
        }
        false
    }

    fn asks_for(&self, topics: &[String]) -> bool {
        let matches = |pattern: &str, topic: &String| {
            Pattern::new(pattern).unwrap().matches(&sse_core::Topic::new(topic).unwrap())
        };
        self.asked.iter().any(|pattern| topics.iter().any(|topic| matches(pattern, topic)))
    }

    fn check(&self, published: &BTreeMap<u64, (Vec<String>, String)>) {
        for (seq, data) in &self.seen {
            assert_eq!(&published[seq].1, data, "what stands at {seq}");
            assert!(self.asks_for(&published[seq].0), "{seq} was not asked for");
            assert!(self.kind != Kind::Filtered || !is_withheld(data), "{seq} was to be withheld");
        }
        for (seq, (topics, data)) in published.range(self.began_after.expect("connected") + 1..) {
            let covered = self.covered.iter().any(|(from, to)| from < seq && seq <= to);
            let withheld = self.kind == Kind::Filtered && is_withheld(data);
            let fine = !self.asks_for(topics) || self.seen.contains_key(seq) || covered || withheld;
            assert!(fine, "{seq} of {topics:?} was lost silently by a reader of {:?}", self.asked);
        }
    }
}

async fn round(seed: u64, events: usize) -> (usize, usize) {
    fastrand::seed(seed);
    let mut retention = Retention::default().events(events);
    if events != KEEPS_ALL {
        // The sweep, every 80 ms, evicts as well, and drops topics without readers.
        retention = retention.age(Duration::from_millis(20));
    }
    let hub = Hub::builder()
        .retention(retention)
        .total_bytes(8 << 20)
        .stalled_after(Duration::from_millis(80))
        .memory();
    let published: Published = Arc::default();
    let publishers: Vec<_> = (0..3_u64)
        .map(|publisher| {
            let (hub, published) = (hub.clone(), Arc::clone(&published));
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed * 31 + publisher);
                for number in 0..400 {
                    let topics: Vec<String> = match random.usize(..5) {
                        0 => vec![TOPICS[random.usize(..4)].into(), TOPICS[random.usize(..4)].into()],
                        _ => vec![TOPICS[random.usize(..4)].into()],
                    };
                    let data = format!("{publisher}.{number}");
                    let receipt = hub.publish(&topics, Event::message(&data)).await.expect("published");
                    published.lock().unwrap().insert(receipt.cursor.seq(), (topics, data));
                    if random.u8(..4) == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..24_u64)
        .map(|number| {
            let (hub, done) = (hub.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed * 17 + number);
                let number = usize::try_from(number).unwrap();
                let asked = ASKED[number % ASKED.len()];
                let mut reader = Reader {
                    kind: KINDS[number / ASKED.len() % KINDS.len()],
                    asked,
                    last: None,
                    keeps_all: events == KEEPS_ALL,
                    began_after: None,
                    seen: BTreeMap::new(),
                    covered: Vec::new(),
                };
                loop {
                    let finishing = done.load(std::sync::atomic::Ordering::Acquire);
                    let mut subscription = reader.connect(&hub).await;
                    let most = if finishing { usize::MAX } else { random.usize(..60) };
                    let was_ended = reader.take(&mut subscription, most).await;
                    if finishing && !was_ended {
                        return reader;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.expect("publisher");
    }
    done.store(true, std::sync::atomic::Ordering::Release);
    let mut totals = (0, 0);
    for reader in readers {
        let reader = reader.await.expect("reader");
        let published = published.lock().unwrap();
        reader.check(&published);
        totals = (totals.0 + reader.seen.len(), totals.1 + reader.covered.len());
    }
    assert_eq!(hub.stats().head.seq(), 1_200);
    totals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_g4_g5_nothing_is_lost_silently_twice_or_out_of_order() {
    let base = fastrand::u64(..1 << 32);
    let mut gaps = 0;
    let mut number = 0;
    // Sometimes no reader of the first small windows falls behind, and then there are more rounds.
    while number < rounds() || (gaps == 0 && number < rounds() + 50) {
        let seed = base + number;
        println!("seed {seed}");
        // A window that keeps everything loses nothing; a small one reports what it lost.
        let events = if number % 2 == 0 { KEEPS_ALL } else { 25 };
        let (seen, covered) = round(seed, events).await;
        println!("{seen} events seen, {covered} gaps");
        assert!(seen > 0);
        if events == KEEPS_ALL {
            assert_eq!(covered, 0, "a gap although nothing was evicted");
        }
        gaps += covered;
        number += 1;
    }
    assert!(gaps > 0, "the small window never evicted what a reader needed: the test proves nothing");
}
