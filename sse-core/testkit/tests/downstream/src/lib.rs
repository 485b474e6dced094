//! A history engine as an application would write it: in memory, shared by all hubs of one process. It uses only
//! what `sse-core` exports, and its tests use only what `sse-testkit` exports.

mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_stream::stream;
use futures_util::Stream;
use sse_core::{
    Pattern,
    history::{
        Appended, Entry, History, HistoryBounds, HistoryError, HistoryErrorKind, Record, SignalReceipt,
        TailEvent,
    },
};
use tokio::sync::broadcast::{self, error::RecvError};

use store::Store;

/// Number of signals that a slow tail may be behind before it misses some.
const MAX_SIGNALS: usize = 1_024;

/// Number of records that a tail takes from the store at once.
const BATCH: usize = 256;

/// A history in the memory of this process; clones share it.
#[derive(Debug, Clone)]
pub struct SharedHistory {
    shared: Arc<Shared>,
    keep: usize,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    news: broadcast::Sender<News>,
}

/// What wakes a tail.
#[derive(Debug, Clone)]
enum News {
    /// The store changed.
    Changed,
    Signal(Entry),
}

impl Default for SharedHistory {
    fn default() -> Self {
        let shared = Shared { store: Mutex::default(), news: broadcast::Sender::new(MAX_SIGNALS) };
        Self { shared: Arc::new(shared), keep: usize::MAX }
    }
}

impl SharedHistory {
    /// Returns a handle on the same history that trims it to about `keep` records when it appends.
    #[must_use]
    pub fn keeping(&self, keep: usize) -> Self {
        Self { keep, ..self.clone() }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, news: News) -> usize {
        // Without a tail there is nothing to wake.
        self.shared.news.send(news).unwrap_or(0)
    }
}

impl History for SharedHistory {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        let appended = {
            let mut store = self.store();
            let appended = entries.into_iter().map(|entry| store.append(entry)).collect();
            store.trim(self.keep);
            appended
        };
        self.announce(News::Changed);
        Ok(appended)
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        self.store().read(after, limit, max_bytes).ok_or_else(|| {
            HistoryError::new(
                HistoryErrorKind::Trimmed,
                "these records were trimmed; read from the oldest one",
            )
        })
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        Ok(self.store().bounds(patterns))
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        Ok(SignalReceipt::new(Some(self.announce(News::Signal(entry)).min(1) as u64)))
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        let history = self.clone();
        // Subscribed before the first look at the store, so that no change is missed.
        let mut news = self.shared.news.subscribe();
        stream! {
            let bounds = history.store().bounds(&[]);
            yield Ok(TailEvent::EpochTable(bounds.epochs));
            let (mut next, mut known) = (after + 1, 1);
            loop {
                let oldest = history.store().oldest();
                if oldest > known {
                    known = oldest;
                    next = next.max(oldest);
                    yield Ok(TailEvent::Trimmed { oldest });
                }
                // Trimmed since then: the next round begins at the oldest record.
                let Some(records) = history.store().read(next - 1, BATCH, usize::MAX) else { continue };
                let is_at_head = records.is_empty();
                for record in records {
                    next = record.cursor.seq() + 1;
                    yield Ok(TailEvent::Record(record));
                }
                if is_at_head {
                    match news.recv().await {
                        Ok(News::Signal(entry)) => yield Ok(TailEvent::Signal(entry)),
                        Ok(News::Changed) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return,
                    }
                }
            }
        }
    }
}
