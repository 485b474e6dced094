use std::future::Future;

use futures_core::Stream;

use super::{Appended, Entry, HistoryBounds, HistoryError, Pattern, Record, SignalReceipt, TailEvent};
use crate::resume::Cursor;

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
    /// [`HistoryErrorKind::Unavailable`](super::HistoryErrorKind::Unavailable) if no entry was stored, [`HistoryErrorKind::Uncertain`](super::HistoryErrorKind::Uncertain) if entries may
    /// have been.
    fn append(&self, entries: Vec<Entry>)
    -> impl Future<Output = Result<Vec<Appended>, HistoryError>> + Send;

    /// Returns up to `limit` records after the position `after`, in order and without a hole. Fewer are returned
    /// only at the head, or if the next record would make their `lines` longer than `max_bytes` together. One
    /// record is returned whatever its length.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Trimmed`](super::HistoryErrorKind::Trimmed) if the record after `after` has been trimmed, else as `append`.
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
    fn bounds(
        &self,
        patterns: &[Pattern],
    ) -> impl Future<Output = Result<HistoryBounds, HistoryError>> + Send;

    /// Returns whether the record at the cursor's position is still the one that the cursor names.
    ///
    /// Only an engine that may use a position again within an epoch needs more than the default, which returns
    /// `true`.
    ///
    /// # Errors
    /// As `append`.
    fn verify(&self, cursor: Cursor) -> impl Future<Output = Result<bool, HistoryError>> + Send {
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
