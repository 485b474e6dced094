use std::{error, fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::Instant;

use super::{Pattern, Topic, foreign};
use crate::{
    metrics,
    resume::{Cursor, EpochTable},
};

/// An engine that stores events durably and in one order: a file, Redis Streams, NATS JetStream, PostgreSQL, or your own.
///
/// Only the engine numbers events, densely from 1, and its order is the order of the history; a hub fills its
/// window from [`tail`](History::tail). Implementers write `async fn`. A method that cannot be answered returns an
/// error and never an empty answer. `sse-testkit` has the suite that every engine must pass.
///
/// A store can become older while a process runs: a former primary that was never demoted answers again, a copy is
/// restored, or the store is emptied. So an engine remembers the newest position that it has returned or reported
/// in this process, and compares it with the store on every new connection, append and look. If the store does not
/// have that position, the engine begins a new epoch after the store's head before anything else is written there.
/// Therefore a position never names two records, and the hub finds in the [table](TailEvent::EpochTable) the
/// position from which its readers need a gap.
pub trait History: Send + Sync + 'static {
    /// Stores `entries` in this order, all or none of them, and returns the position of each.
    ///
    /// An entry whose key was seen before within the engine's window, for the same topics, is not stored again:
    /// its result has the position of the first entry, and `duplicate`. Returns once the entries are as durable as
    /// the engine promises; dropping the future does not undo an append.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Unavailable`] if no entry was stored, [`HistoryErrorKind::Uncertain`] if entries may
    /// have been.
    fn append(&self, entries: Vec<Entry>)
    -> impl Future<Output = Result<Vec<Appended>, HistoryError>> + Send;

    /// Returns up to `limit` records after the position `after`, in order and without a hole. Fewer are returned
    /// only at the head, or if the next record would make their `lines` longer than `max_bytes` together. One
    /// record is returned whatever its length.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Trimmed`] if the record after `after` has been trimmed, else as `append`.
    fn read(
        &self,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<Record>, HistoryError>> + Send;

    /// Returns the bounds of the history, read where writes go (a primary, never a replica); `patterns` are the
    /// topics for which [`HistoryBounds::last`], [`HistoryBounds::trimmed`] and [`HistoryBounds::finished`] are
    /// requested.
    ///
    /// # Errors
    /// As `append`.
    fn span(&self, patterns: &[Pattern]) -> impl Future<Output = Result<HistoryBounds, HistoryError>> + Send;

    /// Returns whether the record at the cursor's position is still the one that the cursor names.
    ///
    /// Only an engine that may use a position again within an epoch needs more than the default, which returns
    /// `true`.
    ///
    /// # Errors
    /// As `append`.
    fn holds(&self, cursor: Cursor) -> impl Future<Output = Result<bool, HistoryError>> + Send {
        let _ = cursor;
        async { Ok(true) }
    }

    /// Sends the entry to every process, without storing it.
    ///
    /// # Errors
    /// As `append`.
    fn signal(&self, entry: Entry) -> impl Future<Output = Result<SignalReceipt, HistoryError>> + Send;

    /// Returns everything that happens after the position `after`, as it becomes readable: one stream per process.
    ///
    /// Each record has the next position; the engine reads skipped records again. It reconnects by itself: an
    /// error item reports that the engine is unavailable, and the stream continues. The stream ends only if the
    /// engine cannot continue at all.
    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static;
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// An event of the application.
    Event,
    /// The end of a topic: `sse.end`.
    Finish,
}

/// An entry to store or to signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The topics, sorted and without duplicates; never empty. A finish has one.
    pub topics: Vec<Topic>,
    /// The kind of the entry.
    pub kind: EntryKind,
    /// The encoded fields, without `id` and without the blank line: an engine stores these bytes unchanged.
    pub lines: Bytes,
    /// The publisher's key: the same topics get an event with this key only once.
    pub key: Option<String>,
}

/// A stored entry and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The position, in the epoch in which the record was written, with the engine's check if it has one.
    pub cursor: Cursor,
    /// The topics, sorted and without duplicates.
    pub topics: Vec<Topic>,
    /// The kind of the entry.
    pub kind: EntryKind,
    /// The encoded fields, without `id` and without the blank line.
    pub lines: Bytes,
}

/// The position of an appended entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of the entry, or of the first entry with the same key.
    pub cursor: Cursor,
    /// `true` if the key was seen before, so that nothing was stored.
    pub duplicate: bool,
}

/// The bounds of a history: what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryBounds {
    /// The first position that can be read, or `head + 1` if there is none.
    pub oldest: u64,
    /// The last position, or 0 if there is none.
    pub head: u64,
    /// The table of epochs.
    pub epochs: EpochTable,
    /// The last position of a record with one of the requested topics, stored or trimmed: 0 if there never was
    /// one, `head` if the engine does not know.
    pub last: u64,
    /// The last position below `oldest` of a record with one of the requested topics: their trimmed records end
    /// there. 0 if none was trimmed, `oldest - 1` if the engine does not know.
    pub trimmed: u64,
    /// The requested exact topics whose last record is a finish, with its position.
    pub finished: Vec<(Topic, Cursor)>,
}

/// A change in a history, as its tail reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TailEvent {
    /// A record became readable; it has the next position.
    Record(Record),
    /// A signal from any process.
    Signal(Entry),
    /// All records before `oldest` were trimmed.
    Trimmed {
        /// The first position that can still be read.
        oldest: u64,
    },
    /// The current table of epochs: sent first, and again after each change. If it names another epoch than before
    /// for a position, the records from that position on were replaced.
    EpochTable(EpochTable),
    /// The engine answers again after an error.
    Recovered,
}

/// The result of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalReceipt {
    /// The number of processes that listen, if the engine knows it.
    pub processes: Option<u64>,
}

/// The error of a history operation.
#[derive(Debug, Clone)]
pub struct HistoryError {
    kind: HistoryErrorKind,
    message: String,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// The kind of a [`HistoryError`]: what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HistoryErrorKind {
    /// The stored data cannot be read: the message describes what to do with it.
    Damaged,
    /// The engine's settings cannot keep the promises: the message names each setting.
    Settings,
    /// The requested records have been trimmed.
    Trimmed,
    /// The engine does not answer, and nothing was stored. Try again later.
    Unavailable,
    /// The engine broke off: the entries may have been stored. Publish again with the same key.
    Uncertain,
}

impl HistoryError {
    /// Makes an error of this kind, with a message that describes what to do.
    #[must_use]
    pub fn new(kind: HistoryErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Returns the same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// Returns the kind: what a caller can do about the error.
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

/// Leaves as many of the first records as have at most `max_bytes` of lines together, but at least one; returns
/// whether any was cut off.
#[cfg(any(feature = "file", feature = "nats", feature = "postgres", feature = "redis"))]
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

/// The future that an erased history returns.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, HistoryError>> + Send + 'a>>;
pub(crate) type Tail = Pin<Box<dyn Stream<Item = Result<TailEvent, HistoryError>> + Send>>;
pub(crate) type DynHistory = Arc<dyn ErasedHistory>;

/// [`History`] with boxed futures, so that `Hub` is not generic. The lines that it returns may be sent, whichever
/// client wrote them.
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

/// Returns the same answer, after recording how long it took. `Trimmed` does not count as a failure.
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
