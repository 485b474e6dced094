//! A history of any type, as a hub uses it.

use std::{future::Future, pin::Pin, sync::Arc};

use tokio::time::Instant;

use super::{
    Appended, Entry, History, HistoryBounds, HistoryError, HistoryErrorKind, Pattern, Record, SignalReceipt,
    foreign::{self, Tail},
};
use crate::{metrics, resume::Cursor};

/// The future that an erased history returns.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, HistoryError>> + Send + 'a>>;
pub(crate) type DynHistory = Arc<dyn ErasedHistory>;

/// [`History`] with boxed futures, so that `Hub` is not generic. The lines that it returns may be sent, whichever
/// client wrote them.
pub(crate) trait ErasedHistory: Send + Sync {
    fn append(&self, entries: Vec<Entry>) -> Answer<'_, Vec<Appended>>;
    fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Answer<'_, Vec<Record>>;
    fn bounds<'a>(&'a self, patterns: &'a [Pattern]) -> Answer<'a, HistoryBounds>;
    fn verify(&self, cursor: Cursor) -> Answer<'_, bool>;
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

    fn bounds<'a>(&'a self, patterns: &'a [Pattern]) -> Answer<'a, HistoryBounds> {
        Box::pin(counted("bounds", History::bounds(self, patterns)))
    }

    fn verify(&self, cursor: Cursor) -> Answer<'_, bool> {
        Box::pin(counted("verify", History::verify(self, cursor)))
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
