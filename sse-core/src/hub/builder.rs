use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::{Notify, mpsc};

use super::{
    publish::{runs::Runs, tail},
    readers::registry::Registry,
    replay_limits::ReplayLimits,
    shared::{SIGNALS, Shared},
    window::window::{Retentions, Window, fresh_epochs},
};
#[cfg(doc)]
use crate::hub::{EndReason, Hub, Subscribe};
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

    /// Limits how many readers read from the history at the same moment; the others wait for their turn, and get
    /// keep-alives meanwhile. Default: 32; 0 counts as 1. Reads from the window are not limited.
    pub fn max_concurrent_replays(self, max_concurrent_replays: usize) -> Self {
        Self { max_concurrent_replays, ..self }
    }

    /// Limits each reader's replay from the history, in bytes per second. A reader above the limit is throttled
    /// rather than disconnected, because it would reconnect at once for the rest. Default: unlimited; 0 counts
    /// as 1.
    ///
    /// The rate is an average over blocks of up to 500 records or 64 KiB. A reader whose limit is below the
    /// publishing rate never catches up.
    pub fn replay_rate(self, bytes_per_second: u64) -> Self {
        Self { replay_rate: Some(bytes_per_second), ..self }
    }

    /// Builds what a hub in this process shares.
    pub(in crate::hub) fn share(self) -> Arc<Shared> {
        self.build(fresh_epochs(), 0, None)
    }

    /// Builds what a hub over a history shares, and begins to fill its window.
    pub(in crate::hub) async fn share_over(self, history: impl History) -> Result<Arc<Shared>, HistoryError> {
        let history: DynHistory = Arc::new(history);
        let bounds = history.bounds(&[]).await?;
        let newest = bounds.head.saturating_sub(WARM_RECORDS);
        let floor = bounds.oldest.saturating_sub(1).max(newest).min(bounds.head);
        let head = Cursor::new(bounds.epochs.at(bounds.head), bounds.head);
        let shared = self.build(bounds.epochs, floor, Some(Arc::clone(&history)));
        tokio::spawn(tail::follow(Arc::downgrade(&shared), history));
        if tokio::time::timeout(WARM_UP, shared.window().reaches(head)).await.is_err() {
            tracing::warn!("the window is not filled from the history yet; readers wait for it");
        }
        Ok(shared)
    }

    fn build(self, epochs: EpochTable, head: u64, history: Option<DynHistory>) -> Arc<Shared> {
        let signals = history.clone().map(|history| {
            let (signals, queue) = mpsc::channel(SIGNALS);
            tokio::spawn(send_signals(history, queue));
            signals
        });
        let window = Window::new(self.retentions, self.total_bytes, epochs, head, history.is_some());
        Arc::new(Shared {
            window,
            history,
            signals,
            restart_tail: Arc::new(Notify::new()),
            shutdown: self.shutdown,
            max_topics: self.max_topics,
            registry: Registry::new(self.max_readers),
            replay_limits: ReplayLimits::new(self.max_concurrent_replays, self.replay_rate),
            runs: Runs::default(),
            stalled_after: self.stalled_after,
            clock: AtomicU64::new(0),
            sweeper: Mutex::new(None),
        })
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
