use std::{error, fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::Instant;

use super::{Pattern, Topic, foreign};
use crate::{
    metrics,
    resume::{Cursor, EpochTable},
};

/// An engine that keeps events durably and in one order: a file, Redis Streams, NATS JetStream, or your own.
///
/// The engine alone numbers events, densely from 1, and its order is the order; a hub fills its window from
/// [`tail`](History::tail). Implementers write `async fn`. A method that cannot be answered returns an error and never
/// an empty answer. `sse-testkit` has the suite that every engine must pass.
///
/// A store can get older while a process runs: a former primary that was never demoted answers again, a copy is put back,
/// or it is emptied. So an engine keeps the newest position that it has returned or reported in this process, and compares
/// it with the store on every new connection, append and look. Where the store does not have it, the engine begins a new
/// epoch after the store's head, before anything else is written there: a position never names two records, and the hub
/// finds in the [table](TailEvent::EpochTable) from where on its readers have to be sent a gap.
pub trait History: Send + Sync + 'static {
    /// Keeps `entries` in this order, all or none of them, and returns where each stands.
    ///
    /// An entry whose key was seen before within the engine's window, for the same topics, is not kept again: it
    /// gets the first one's place and `duplicate`. Returns once the entries are as durable as the engine promises;
    /// dropping the future does not undo an append.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Unavailable`] if nothing was kept, [`HistoryErrorKind::Uncertain`] if it may have been.
    fn append(&self, entries: Vec<Entry>)
    -> impl Future<Output = Result<Vec<Appended>, HistoryError>> + Send;

    /// Up to `limit` records after the position `after`, in order and without a hole; fewer only at the head, or where the
    /// next one would make their `lines` longer than `max_bytes` together. One record is returned however long it is.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Trimmed`] if the record after `after` is gone, else as `append`.
    fn read(
        &self,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<Record>, HistoryError>> + Send;

    /// What is kept now, read where writes go (a primary, never a replica); `patterns` are the topics for which
    /// [`HistoryBounds::last`], [`HistoryBounds::trimmed`] and [`HistoryBounds::finished`] are asked.
    ///
    /// # Errors
    /// As `append`.
    fn span(&self, patterns: &[Pattern]) -> impl Future<Output = Result<HistoryBounds, HistoryError>> + Send;

    /// Whether the record at the cursor's position is still the one that the cursor names.
    ///
    /// Only an engine that may use a position again within an epoch needs more than the default, `true`.
    ///
    /// # Errors
    /// As `append`.
    fn holds(&self, cursor: Cursor) -> impl Future<Output = Result<bool, HistoryError>> + Send {
        let _ = cursor;
        async { Ok(true) }
    }

    /// Tells the entry to every process, without keeping it.
    ///
    /// # Errors
    /// As `append`.
    fn signal(&self, entry: Entry) -> impl Future<Output = Result<SignalReceipt, HistoryError>> + Send;

    /// Everything that happens after the position `after`, as it becomes readable: one per process.
    ///
    /// Each record is the next position; the engine reads again what it skipped. It reconnects by itself: an error
    /// item says that the engine is away, and the stream goes on. It ends only if it cannot go on at all.
    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static;
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// An application's event.
    Event,
    /// The end of a topic: `sse.end`.
    Finish,
}

/// Something to keep or to signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its topics, sorted and each once; never empty. A finish has one.
    pub topics: Vec<Topic>,
    /// What it is.
    pub kind: EntryKind,
    /// The encoded fields, without `id` and without the blank line: an engine stores these bytes as they are.
    pub lines: Bytes,
    /// The publisher's key, under which the same topics get the same event only once.
    pub key: Option<String>,
}

/// A kept entry and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place, in the epoch in which it was written, with the engine's check if it has one.
    pub cursor: Cursor,
    /// Its topics, sorted and each once.
    pub topics: Vec<Topic>,
    /// What it is.
    pub kind: EntryKind,
    /// The encoded fields, without `id` and without the blank line.
    pub lines: Bytes,
}

/// Where an appended entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its place, or that of the first entry with the same key.
    pub cursor: Cursor,
    /// Whether its key was seen before, so that nothing was kept.
    pub duplicate: bool,
}

/// What a history holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryBounds {
    /// The first position that can be read, or `head + 1` if there is none.
    pub oldest: u64,
    /// The last position, or 0.
    pub head: u64,
    /// The table of epochs.
    pub epochs: EpochTable,
    /// The last position of a record with one of the topics asked for, kept or trimmed: 0 if there never was one,
    /// `head` if the engine cannot tell.
    pub last: u64,
    /// The last position below `oldest` of a record with one of the topics asked for: what was trimmed of them goes up to
    /// there. 0 if nothing was, `oldest - 1` if the engine cannot tell.
    pub trimmed: u64,
    /// Of the exact topics asked for, those whose last record is a finish, and where it stands.
    pub finished: Vec<(Topic, Cursor)>,
}

/// Something that happened to a history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TailEvent {
    /// A record can be read; it is the next position.
    Record(Record),
    /// A signal from any process.
    Signal(Entry),
    /// Everything before `oldest` is gone.
    Trimmed {
        /// The first position that can still be read.
        oldest: u64,
    },
    /// The table of epochs as it is now: sent first, and again whenever it has changed. If it names another epoch than
    /// before for a position, what stood there and follows was replaced.
    EpochTable(EpochTable),
    /// The engine answers again after an error.
    Recovered,
}

/// Whom a signal reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalReceipt {
    /// The number of processes that listen, if the engine can tell.
    pub processes: Option<u64>,
}

/// Why a history could not do what was asked.
#[derive(Debug, Clone)]
pub struct HistoryError {
    kind: HistoryErrorKind,
    message: String,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// What a caller can do about a [`HistoryError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HistoryErrorKind {
    /// What is stored cannot be read: the message says what to do with it.
    Damaged,
    /// The engine's settings do not keep the promises: the message names each.
    Settings,
    /// What was asked for has been trimmed.
    Trimmed,
    /// The engine does not answer, and nothing was kept. Try again later.
    Unavailable,
    /// The engine broke off: the entries may have been kept. Publish again with the same key.
    Uncertain,
}

impl HistoryError {
    /// An error of this kind, with a message that says what to do.
    #[must_use]
    pub fn new(kind: HistoryErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> HistoryErrorKind {
        self.kind
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "history: {}", self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl error::Error for HistoryError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// Leaves as many of the first records as have at most `max_bytes` of lines together, but at least one; returns whether any
/// was cut off.
#[cfg(any(feature = "file", feature = "nats", feature = "redis"))]
pub(super) fn cut_to_bytes(records: &mut Vec<Record>, max_bytes: usize) -> bool {
    let mut bytes: usize = 0;
    let fits = |record: &&Record| {
        bytes = bytes.saturating_add(record.lines.len());
        bytes <= max_bytes
    };
    let count = records.iter().take_while(fits).count().max(1);
    let is_cut = count < records.len();
    records.truncate(count);
    is_cut
}

/// A future that an erased history returns.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, HistoryError>> + Send + 'a>>;
pub(crate) type Tail = Pin<Box<dyn Stream<Item = Result<TailEvent, HistoryError>> + Send>>;
pub(crate) type DynHistory = Arc<dyn ErasedHistory>;

/// [`History`] with boxed futures, so that `Hub` is not generic. What it returns may be sent, whoever wrote it.
pub(crate) trait ErasedHistory: Send + Sync {
    fn append(&self, entries: Vec<Entry>) -> Answer<'_, Vec<Appended>>;
    fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Answer<'_, Vec<Record>>;
    fn span<'a>(&'a self, patterns: &'a [Pattern]) -> Answer<'a, HistoryBounds>;
    fn holds(&self, cursor: Cursor) -> Answer<'_, bool>;
    fn signal(&self, entry: Entry) -> Answer<'_, SignalReceipt>;
    fn tail(&self, after: u64) -> Tail;
}

impl<H: History> ErasedHistory for H {
    fn append(&self, entries: Vec<Entry>) -> Answer<'_, Vec<Appended>> {
        Box::pin(counted("append", History::append(self, entries)))
    }

    fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Answer<'_, Vec<Record>> {
        Box::pin(async move {
            counted("read", History::read(self, after, limit, max_bytes)).await.map(foreign::framed)
        })
    }

    fn span<'a>(&'a self, patterns: &'a [Pattern]) -> Answer<'a, HistoryBounds> {
        Box::pin(counted("span", History::span(self, patterns)))
    }

    fn holds(&self, cursor: Cursor) -> Answer<'_, bool> {
        Box::pin(counted("holds", History::holds(self, cursor)))
    }

    fn signal(&self, entry: Entry) -> Answer<'_, SignalReceipt> {
        Box::pin(counted("signal", History::signal(self, entry)))
    }

    fn tail(&self, after: u64) -> Tail {
        Box::pin(foreign::FramedTail(Box::pin(History::tail(self, after))))
    }
}

/// The same answer, after saying how long it took. That something was trimmed is no failure.
async fn counted<T>(
    operation: &'static str,
    answer: impl Future<Output = Result<T, HistoryError>> + Send,
) -> Result<T, HistoryError> {
    let asked_at = Instant::now();
    let answer = answer.await;
    let has_failed = answer.as_ref().is_err_and(|error| error.kind() != HistoryErrorKind::Trimmed);
    metrics::history(operation, asked_at.elapsed(), has_failed);
    answer
}
