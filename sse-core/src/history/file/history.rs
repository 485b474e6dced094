use std::{
    fmt,
    path::Path,
    sync::{Arc, Weak},
};

use futures_core::Stream;
use tokio::sync::{broadcast, oneshot, watch};

use super::{
    FileHistoryBuilder, failure,
    read::Reader,
    store::{Store, WriterStatus},
    writer::Writer,
};
use crate::history::{
    Appended, Entry, History, HistoryBounds, HistoryError, HistoryErrorKind, Pattern, Record, SignalReceipt,
    TailEvent,
    tail::{self, TailEvents},
};

/// The number of signals that a tail may be behind before it loses the oldest.
const SIGNALS: usize = 1_024;

/// The number of records that the tail reads at once.
const BLOCK: usize = 500;

/// The number of bytes that the tail reads at once, unless one record is longer.
const BLOCK_BYTES: usize = 1 << 20;

/// A history in one file (redb): it survives the process, and serves one process at a time.
///
/// A handle, cheap to clone: every clone is the same history. The file is closed when the last clone and the hubs
/// over it are dropped.
///
/// **Durability.** An append returns when the file has been synced: an acknowledged event survives a crash of the
/// process and a power failure, as far as the disk keeps what it acknowledges. Events published at the same time
/// share one sync. With [`sync_every`](FileHistoryBuilder::sync_every) an append waits for the next sync; it is
/// never acknowledged before the sync, so neither mode loses acknowledged events.
///
/// **Epochs.** Every open begins a new epoch, so that a copied or restored file never gives an id twice. Older
/// cursors stay exact up to the end of their epoch in this file.
///
/// **Retention.** See [`FileHistoryBuilder::retention`]. The file does not shrink; freed space is used again.
///
/// **Keys.** A key is remembered for 24 h; if there are more than 1,000,000 keys, the oldest are forgotten.
///
/// **Replaced files.** If the file is replaced, moved or removed while it is open, nothing more is appended, as
/// after a failed write, because it would be lost when the file is closed. Restore copies while no process has the
/// file open.
///
/// **Errors.** After a failed write nothing more is appended, because the contents of the disk are unknown: every
/// append fails with an error that asks to open the file again. Reads continue.
///
/// ```no_run
/// use sse_core::{Hub, history::FileHistory};
///
/// # async fn open() -> Result<(), sse_core::history::HistoryError> {
/// let hub = Hub::open(FileHistory::open("events.redb")?).await?;
/// # let _ = hub;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileHistory {
    shared: Arc<Shared>,
}

/// Dropped with the last handle; the tails hold a weak reference.
struct Shared {
    reader: Reader,
    writer: Writer,
    status: watch::Receiver<WriterStatus>,
    signals: broadcast::Sender<Entry>,
}

impl FileHistory {
    /// Opens the file, or creates it if there is none, with the default options.
    ///
    /// Blocks until the file is open; after a crash of the process it checks the whole file.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Unavailable`] if the file is already open or the system refuses it,
    /// [`HistoryErrorKind::Damaged`] if its contents cannot be read. The message describes what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HistoryError> {
        Self::builder().open(path)
    }

    /// Returns the options for a history in a file.
    pub fn builder() -> FileHistoryBuilder {
        FileHistoryBuilder::default()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || read(&shared.reader));
        // The storage engine may panic if pages were altered by another program.
        read.await.map_err(|error| failure::damaged("reading it broke off").with_source(error))?
    }
}

impl FileHistoryBuilder {
    /// Opens the file, or creates it if there is none; see [`FileHistory::open`].
    ///
    /// # Errors
    /// As [`FileHistory::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<FileHistory, HistoryError> {
        let store = Store::open(path.as_ref(), self.retention, self.cache_bytes)?;
        let reader = store.reader.clone();
        let (writer, status) = Writer::start(store, self.sync_every)?;
        let (signals, _) = broadcast::channel(SIGNALS);
        Ok(FileHistory { shared: Arc::new(Shared { reader, writer, status, signals }) })
    }
}

impl History for FileHistory {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        self.shared.writer.append(entries, reply)?;
        answer.await.unwrap_or_else(|_| {
            let message = "the writer broke off; open the file again, and publish again with the same key";
            Err(HistoryError::new(HistoryErrorKind::Uncertain, message))
        })
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        match self.shared.reader.recent(after, limit, max_bytes) {
            Some(records) => Ok(records),
            None => self.blocking(move |reader| reader.read(after, limit, max_bytes)).await,
        }
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        let patterns = patterns.to_vec();
        self.blocking(move |reader| reader.bounds(&patterns)).await
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        // Without a tail nothing receives the signal.
        let tails = self.shared.signals.send(entry).unwrap_or(0);
        Ok(SignalReceipt { processes: Some(u64::from(tails > 0)) })
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        let (changes, mut stream) = tail::channel();
        let status = self.shared.status.clone();
        stream.spawn(follow(Arc::downgrade(&self.shared), status, after, changes.clone()));
        stream.spawn(forward(self.shared.signals.subscribe(), changes));
        stream
    }
}

impl fmt::Debug for FileHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileHistory").field("head", &self.shared.status.borrow().head).finish_non_exhaustive()
    }
}

/// Reports what becomes readable after a position, until the history is closed or the receiver is dropped.
async fn follow(
    shared: Weak<Shared>,
    mut status: watch::Receiver<WriterStatus>,
    after: u64,
    changes: TailEvents,
) {
    let mut position = after;
    let mut oldest = status.borrow().oldest.min(position + 1);
    let mut has_failed = false;
    loop {
        let now = status.borrow_and_update().clone();
        if now.oldest > oldest {
            oldest = now.oldest;
            position = position.max(oldest - 1);
            if changes.send(Ok(TailEvent::Trimmed { oldest })).await.is_err() {
                return;
            }
        }
        if position < now.head {
            // Held only while reading, so that a tail does not keep the file open.
            let Some(shared) = shared.upgrade() else { return };
            match (FileHistory { shared }).read(position, BLOCK, BLOCK_BYTES).await {
                Ok(records) => {
                    for record in records {
                        position = record.cursor.seq();
                        if changes.send(Ok(TailEvent::Record(record))).await.is_err() {
                            return;
                        }
                    }
                }
                // The next look returns the new bounds.
                Err(error) if error.kind() == HistoryErrorKind::Trimmed => tokio::task::yield_now().await,
                Err(error) => {
                    drop(changes.send(Err(error)).await);
                    return;
                }
            }
            continue;
        }
        if let Some(failure) = now.failure.filter(|_| !has_failed) {
            has_failed = true;
            if changes.send(Err(failure)).await.is_err() {
                return;
            }
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// Forwards signals; a tail that is too slow loses the oldest.
async fn forward(mut signals: broadcast::Receiver<Entry>, changes: TailEvents) {
    loop {
        match signals.recv().await {
            Ok(entry) => {
                if changes.send(Ok(TailEvent::Signal(entry))).await.is_err() {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
