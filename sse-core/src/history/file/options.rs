use std::time::Duration;

#[cfg(doc)]
use super::FileHistory;
use crate::history::Retention;

/// Options for a [`FileHistory`].
///
/// ```no_run
/// use sse_core::{Retention, history::FileHistory};
///
/// # fn open() -> Result<(), sse_core::history::HistoryError> {
/// let history = FileHistory::builder()
///     .retention(Retention::default().events(100_000))
///     .open("events.redb")?;
/// # let _ = history;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `open`"]
pub struct FileHistoryBuilder {
    pub(super) retention: Retention,
    pub(super) sync_every: Duration,
    pub(super) cache_bytes: usize,
}

impl Default for FileHistoryBuilder {
    fn default() -> Self {
        Self { retention: Retention::durable(), sync_every: Duration::ZERO, cache_bytes: 64 << 20 }
    }
}

impl FileHistoryBuilder {
    /// Sets how much of the whole history is kept, whichever limit is reached first. The default is 1,000,000
    /// events, 1 GiB and 7 days.
    ///
    /// The oldest eighth is dropped at once, so up to an eighth more than these limits is kept. The epochs and the
    /// last position of each topic are remembered longer, so that readers of quiet topics get no needless gap.
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets the shortest time between two syncs, so that more appends share a sync: acknowledgements are slower,
    /// and the disk has less work. The default syncs at every commit.
    ///
    /// An append waits for the sync, and so do the readers: an event that was acknowledged or read cannot be lost.
    pub fn sync_every(self, sync_every: Duration) -> Self {
        Self { sync_every, ..self }
    }

    /// Sets how much of the file is cached in memory, in bytes. The default is 64 MiB.
    pub fn cache_bytes(self, cache_bytes: usize) -> Self {
        Self { cache_bytes, ..self }
    }
}
