use std::time::Duration;

#[cfg(doc)]
use super::NatsHistory;
use crate::history::Retention;

/// The storage in which JetStream keeps the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NatsStorage {
    /// Files of the server: the events survive its restart.
    #[default]
    File,
    /// The server's memory: after its restart every reader gets a gap notice.
    Memory,
}

impl NatsStorage {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Memory => "memory",
        }
    }
}

/// Options for a [`NatsHistory`]: the settings of the stream if it has to be created.
///
/// An existing stream keeps its own limits, replicas and storage.
///
/// ```no_run
/// use sse_core::{Hub, Retention, history::NatsHistory};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let history = NatsHistory::builder()
///     .retention(Retention::default().events(100_000))
///     .replicas(3)
///     .connect("nats://localhost:4222", "shop")
///     .await?;
/// let hub = Hub::open(history).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `connect`"]
pub struct NatsHistoryBuilder {
    pub(super) retention: Retention,
    pub(super) replicas: usize,
    pub(super) storage: NatsStorage,
    pub(super) key_window: Duration,
}

impl Default for NatsHistoryBuilder {
    fn default() -> Self {
        Self {
            retention: Retention::durable(),
            replicas: 1,
            storage: NatsStorage::File,
            key_window: Duration::from_secs(120),
        }
    }
}

impl NatsHistoryBuilder {
    /// Sets how much the stream keeps; the oldest events are dropped first. The default is 1,000,000 events, 1 GiB
    /// and 7 days.
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets how many servers of a cluster keep the stream. The default is 1; use 3 to survive the loss of a
    /// server.
    pub fn replicas(self, replicas: usize) -> Self {
        Self { replicas, ..self }
    }

    /// Sets where the events are stored. The default is [`NatsStorage::File`].
    pub fn storage(self, storage: NatsStorage) -> Self {
        Self { storage, ..self }
    }

    /// Sets how long a publisher's key is remembered; it is never longer than an event is kept. The default is 2
    /// minutes; the server keeps the keys of this time in memory.
    pub fn key_window(self, key_window: Duration) -> Self {
        Self { key_window, ..self }
    }
}
