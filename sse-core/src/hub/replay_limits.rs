//! Limits on how fast readers read from the history.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// The limits, shared by all readers of a hub.
#[derive(Clone)]
pub(crate) struct ReplayLimits {
    permits: Arc<Semaphore>,
    /// The number of bytes that one reader may take per second.
    rate: Option<u64>,
}

impl ReplayLimits {
    pub(crate) fn new(max_concurrent_replays: usize, rate: Option<u64>) -> Self {
        let permits = max_concurrent_replays.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), rate: rate.map(|rate| rate.max(1)) }
    }

    /// Waits for a permit to read the history once; permits are granted in the order of requests.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.permits.acquire().await.ok()
    }

    /// Returns when a reader that has just taken `bytes` bytes may take more; `None` if it need not wait.
    pub(crate) fn next_after(&self, bytes: usize) -> Option<Instant> {
        let rate = self.rate?;
        let pause = Duration::from_secs_f64(bytes as f64 / rate as f64);
        Instant::now().checked_add(pause)
    }
}
