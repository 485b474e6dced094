use std::time::Duration;

#[cfg(doc)]
use super::RedisHistory;
use crate::history::Retention;

/// Options for a [`RedisHistory`].
///
/// Every process that opens the same history should use the same options.
///
/// ```no_run
/// use sse_core::{Retention, history::RedisHistory};
///
/// # async fn connect() -> Result<(), sse_core::history::HistoryError> {
/// let history = RedisHistory::builder()
///     .retention(Retention::default().events(100_000))
///     .connect("redis://:password@10.0.0.7:6379", "shop")
///     .await?;
/// # let _ = history;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `connect`"]
pub struct RedisHistoryBuilder {
    pub(super) retention: Retention,
    pub(super) key_memory: Duration,
}

impl Default for RedisHistoryBuilder {
    fn default() -> Self {
        Self {
            retention: Retention::durable().bytes(256 << 20),
            key_memory: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl RedisHistoryBuilder {
    /// Sets how much of the whole history is kept, whichever limit is reached first. The default is 1,000,000
    /// events, 256 MiB and 7 days.
    ///
    /// Redis drops whole nodes of about a hundred events, and bytes and age are counted in 64 steps, so somewhat
    /// more than these limits is kept. The last position of each topic is remembered longer, so that readers of
    /// quiet topics get no needless gap.
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets how long a publisher's key is remembered. The default is 24 h.
    pub fn key_memory(self, key_memory: Duration) -> Self {
        Self { key_memory, ..self }
    }
}
