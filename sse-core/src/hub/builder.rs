use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::{Notify, mpsc};

#[cfg(doc)]
use crate::hub::{EndReason, Subscribe};
use crate::hub::{
    Hub, SIGNALS, Shared,
    publish::run::Runs,
    publish::tail,
    readers::registry::Registry,
    replay_limits::ReplayLimits,
    window::window::{Retentions, Window, fresh_epochs},
};
use crate::{
    Shutdown,
    history::{DynHistory, Entry, History, HistoryError, Pattern, Retention},
    resume::{Cursor, EpochTable},
};

/// How long opening a history may take to fill the window.
const WARM_UP: Duration = Duration::from_secs(10);

/// How many of a history's newest records fill the window when it is opened.
const WARM_RECORDS: u64 = 10_000;

/// Options for a [`Hub`].
///
/// ```
/// use std::time::Duration;
/// use sse_core::{Hub, Retention, Shutdown};
///
/// let shutdown = Shutdown::within(Duration::from_secs(10));
/// let hub = Hub::builder()
///     .retention(Retention::default().events(1_000))
///     .shutdown(shutdown.clone())
///     .memory();
/// # let _ = hub;
/// ```
#[must_use = "nothing is opened until `memory` or `open`"]
pub struct HubBuilder {
    pub(in crate::hub) retentions: Retentions,
    pub(in crate::hub) total_bytes: usize,
    pub(in crate::hub) stalled_after: Duration,
    pub(in crate::hub) shutdown: Option<Shutdown>,
    pub(in crate::hub) max_topics: usize,
    pub(in crate::hub) max_readers: usize,
    pub(in crate::hub) max_concurrent_replays: usize,
    pub(in crate::hub) replay_rate: Option<u64>,
}

impl HubBuilder {
    pub(in crate::hub) fn new() -> Self {
        Self {
            retentions: Retentions { all: Retention::default(), some: Vec::new() },
            total_bytes: 256 << 20,
            stalled_after: Duration::from_secs(30),
            shutdown: None,
            max_topics: 100,
            max_readers: usize::MAX,
            max_concurrent_replays: 32,
            replay_rate: None,
        }
    }

    /// What the window keeps of each topic; see [`Retention`] for the default.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retentions.all = retention;
        self
    }

    /// What the window keeps of the topics that match; of several that match, the first given counts.
    pub fn retention_of(mut self, pattern: Pattern, retention: Retention) -> Self {
        self.retentions.some.push((pattern, retention));
        self
    }

    /// Limits the memory of what the window keeps; the oldest events are evicted first. The default is 256 MiB.
    ///
    /// Counted are the encoded bytes, and besides them 160 bytes for each event and 512 bytes and the name for each topic
    /// that has events. An event of several topics counts for each of them.
    pub fn total_bytes(self, total_bytes: usize) -> Self {
        Self { total_bytes, ..self }
    }

    /// How long a reader may leave something untaken before it is dropped; it resumes when it reads again. The default
    /// is 30 s.
    pub fn stalled_after(self, stalled_after: Duration) -> Self {
        Self { stalled_after, ..self }
    }

    /// Ends the hub's streams with this handle.
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown: Some(shutdown), ..self }
    }

    /// How many topics and patterns one subscription may name. The default is 100.
    pub fn max_topics(self, max_topics: usize) -> Self {
        Self { max_topics, ..self }
    }

    /// How many readers may read at a time in this process; one more is refused with [`EndReason::Limit`] and told to come
    /// back. The default is no limit. See [`Subscribe::limit`] for those of one user or address.
    pub fn max_readers(self, max_readers: usize) -> Self {
        Self { max_readers, ..self }
    }

    /// A hub that lives in this process.
    #[must_use]
    pub fn memory(self) -> Hub {
        self.build(fresh_epochs(), 0, None)
    }

    /// A hub over a history; must be called within a Tokio runtime.
    ///
    /// Returns when the window holds the newest of what the history keeps, or after 10 s.
    ///
    /// # Errors
    /// [`HistoryError`] if the history cannot be read.
    pub async fn open(self, history: impl History) -> Result<Hub, HistoryError> {
        let history: DynHistory = Arc::new(history);
        let span = history.span(&[]).await?;
        let floor = span.oldest.saturating_sub(1).max(span.head.saturating_sub(WARM_RECORDS)).min(span.head);
        let head = Cursor::new(span.epochs.at(span.head), span.head);
        let hub = self.build(span.epochs, floor, Some(Arc::clone(&history)));
        tokio::spawn(tail::follow(Arc::downgrade(&hub.shared), history));
        if tokio::time::timeout(WARM_UP, hub.window().reaches(head)).await.is_err() {
            tracing::warn!("the window is not filled from the history yet; readers wait for it");
        }
        Ok(hub)
    }

    fn build(self, epochs: EpochTable, head: u64, history: Option<DynHistory>) -> Hub {
        let signals = history.clone().map(|history| {
            let (signals, queue) = mpsc::channel(SIGNALS);
            tokio::spawn(send_signals(history, queue));
            signals
        });
        let window = Window::new(self.retentions, self.total_bytes, epochs, head, history.is_some());
        let shared = Shared {
            window,
            history,
            signals,
            restart_tail: Arc::new(Notify::new()),
            shutdown: self.shutdown,
            max_topics: self.max_topics,
            registry: Registry::new(self.max_readers),
            pace: ReplayLimits::new(self.max_concurrent_replays, self.replay_rate),
            runs: Runs::default(),
            stalled_after: self.stalled_after,
            clock: AtomicU64::new(0),
            sweeper: Mutex::new(None),
        };
        Hub { shared: Arc::new(shared) }
    }
}

/// Sends signals one after the other, so that one publisher's keep their order.
async fn send_signals(history: DynHistory, mut queue: mpsc::Receiver<Entry>) {
    while let Some(entry) = queue.recv().await {
        if let Err(error) = history.signal(entry).await {
            crate::metrics::signal_lost();
            tracing::warn!(%error, "a signal was lost");
        }
    }
}
