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

/// The maximum time that opening a history spends on filling the window.
const WARM_UP: Duration = Duration::from_secs(10);

/// The number of a history's newest records that fill the window when the history is opened.
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

    /// Sets what the window keeps of each topic; see [`Retention`] for the default.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retentions.all = retention;
        self
    }

    /// Sets what the window keeps of the topics that match. If a topic matches several calls, the first one
    /// counts.
    pub fn retention_of(mut self, pattern: Pattern, retention: Retention) -> Self {
        self.retentions.some.push((pattern, retention));
        self
    }

    /// Limits the memory that the window uses. Above the limit, the oldest events are evicted first. Default:
    /// 256 MiB.
    ///
    /// The count includes the encoded bytes, 160 bytes for each event, and for each topic that has events 512
    /// bytes and its name. An event of several topics counts for each of them.
    pub fn total_bytes(self, total_bytes: usize) -> Self {
        Self { total_bytes, ..self }
    }

    /// Sets how long a reader may leave data unread before it is dropped; it resumes when it reads again.
    /// Default: 30 s.
    pub fn stalled_after(self, stalled_after: Duration) -> Self {
        Self { stalled_after, ..self }
    }

    /// Sets the handle that ends the hub's streams.
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown: Some(shutdown), ..self }
    }

    /// Limits the number of topics and patterns of one subscription. Default: 100.
    pub fn max_topics(self, max_topics: usize) -> Self {
        Self { max_topics, ..self }
    }

    /// Limits the number of readers connected to this process. A further reader is refused with
    /// [`EndReason::Limit`] and asked to retry later. Default: no limit. See [`Subscribe::limit`] for a limit
    /// per user or address.
    pub fn max_readers(self, max_readers: usize) -> Self {
        Self { max_readers, ..self }
    }

    /// Builds a hub that lives in this process.
    #[must_use]
    pub fn memory(self) -> Hub {
        self.build(fresh_epochs(), 0, None)
    }

    /// Opens a hub over a history; must be called within a Tokio runtime.
    ///
    /// Returns when the window holds the newest records of the history, or after 10 s.
    ///
    /// # Errors
    /// [`HistoryError`] if the history cannot be read.
    pub async fn open(self, history: impl History) -> Result<Hub, HistoryError> {
        let history: DynHistory = Arc::new(history);
        let span = history.bounds(&[]).await?;
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

/// Sends signals one after the other, so that signals of one publisher keep their order.
async fn send_signals(history: DynHistory, mut queue: mpsc::Receiver<Entry>) {
    while let Some(entry) = queue.recv().await {
        if let Err(error) = history.signal(entry).await {
            crate::metrics::signal_lost();
            tracing::warn!(%error, "a signal was lost");
        }
    }
}
