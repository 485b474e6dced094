//! Rules that the promises depend on and that no other test breaks: see `docs/promises.md`.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::common::fake_history::Scripted;
use crate::common::reader::{data, is_idle, next, publish};
use futures_util::{
    Stream, StreamExt,
    future::{join, join_all},
};
use sse_core::{
    Event, EventStream, Hub, Pattern, Start,
    history::{Appended, Entry, History, HistoryBounds, HistoryError, Record, SignalReceipt, TailEvent},
};

/// A history whose tail leaves out every third record, like a stream that advanced unobserved.
#[derive(Clone)]
struct Lossy {
    inner: Scripted,
    /// Whether it returns such a record when it is requested for the second time.
    tells_then: bool,
    left_out: Arc<Mutex<HashSet<u64>>>,
    tails: Arc<AtomicUsize>,
}

impl Lossy {
    fn new(tells_then: bool) -> Self {
        Self { inner: Scripted::new(), tells_then, left_out: Arc::default(), tails: Arc::default() }
    }
}

impl History for Lossy {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        self.inner.append(entries).await
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        self.inner.read(after, limit, max_bytes).await
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        self.inner.bounds(patterns).await
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        self.inner.signal(entry).await
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        assert!(self.tails.fetch_add(1, Ordering::Relaxed) < 1_000, "asked for without end");
        let (tells_then, left_out) = (self.tells_then, Arc::clone(&self.left_out));
        self.inner.tail(after).filter(move |change| {
            let is_told = match change {
                Ok(TailEvent::Record(record)) if record.cursor.seq() % 3 == 2 => {
                    !left_out.lock().expect("not poisoned").insert(record.cursor.seq()) && tells_then
                }
                _ => true,
            };
            std::future::ready(is_told)
        })
    }
}

#[tokio::test]
async fn rule_10_a_hole_in_what_the_tail_tells_is_read_again() {
    let history = Lossy::new(true);
    let hub = Hub::open(history.clone()).await.expect("opened");
    let mut live = hub.subscribe("a").await.expect("subscribed");
    // All at once: a publish whose record the tail leaves out completes when a later record has revealed the hole.
    let publishing = (0..30).map(|number| publish(&hub, "a", number..number + 1));
    let (mut seen, _) = join(data(&mut live, 30), join_all(publishing)).await;
    assert_eq!(history.left_out.lock().expect("not poisoned").len(), 10);
    seen.sort_by_key(|text| text.parse::<u32>().expect("a number"));
    assert_eq!(seen, (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
    let mut all = hub.subscribe("a").start(Start::Earliest).await.expect("subscribed");
    assert!(all.gap().is_none());
    assert_eq!(data(&mut all, 30).await.len(), 30);
}

#[tokio::test]
async fn a_silent_tail_does_not_keep_the_process_busy() {
    let history = Lossy::new(false);
    let hub = Hub::open(history.clone()).await.expect("opened");
    join_all((0..3).map(|number| publish(&hub, "a", number..number + 1))).await;
    let tails = history.tails.load(Ordering::Relaxed);
    assert!((2..10).contains(&tails), "{tails} tails");
    assert_eq!(hub.stats().head.seq(), 1, "what cannot be told in order is not told");
}

#[tokio::test]
async fn rule_15_signals_are_bounded_and_the_newest_survive() {
    let hub = Hub::memory();
    let mut reader = hub.subscribe("a").await.expect("subscribed");
    assert!(is_idle(&mut reader).await);
    for number in 0..1_000 {
        hub.signal("a", Event::message(number.to_string())).expect("a signal");
    }
    let first: usize = next(&mut reader).await.data().parse().expect("a number");
    assert!(first >= 1_000 - 64, "{first}: older signals than the ring's 64 were kept for one reader");
    let rest = data(&mut reader, 1_000 - first - 1).await;
    assert_eq!(rest.last().map(String::as_str), Some("999"));
    assert!(is_idle(&mut reader).await);
}

#[tokio::test]
async fn g3_an_end_that_follows_a_gap_does_not_move_the_reader_back() {
    let hub = Hub::memory();
    publish(&hub, "a", 0..1).await;
    hub.finish("a").await.expect("finished");
    publish(&hub, "b", 0..3).await;
    let mut reader = hub.subscribe("a").after("nonsense").await.expect("subscribed");
    let gap = next(&mut reader).await;
    assert_eq!(gap.event_type(), "sse.gap");
    let end = next(&mut reader).await;
    assert_eq!((end.event_type(), end.last_event_id()), ("sse.end", ""));
    assert!(reader.next().await.is_none());
    let again = hub.subscribe("a").after(gap.last_event_id()).await.expect("subscribed");
    assert_eq!(EventStream::new(again).into_response().status(), 204);
}
