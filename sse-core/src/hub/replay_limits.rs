//! How fast readers may take from the history.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::hub::HubBuilder;

/// Shared by all readers of a hub.
#[derive(Clone)]
pub(crate) struct ReplayLimits {
    permits: Arc<Semaphore>,
    /// Bytes that one reader may take per second.
    rate: Option<u64>,
}

impl ReplayLimits {
    pub(crate) fn new(max_concurrent_replays: usize, rate: Option<u64>) -> Self {
        let permits = max_concurrent_replays.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), rate: rate.map(|rate| rate.max(1)) }
    }

    /// Waits until the history may be read once more, first come, first served.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.permits.acquire().await.ok()
    }

    /// When a reader that has just taken so many bytes may take more, if it must wait.
    pub(crate) fn next_after(&self, bytes: usize) -> Option<Instant> {
        let rate = self.rate?;
        let pause = Duration::from_secs_f64(bytes as f64 / rate as f64);
        Instant::now().checked_add(pause)
    }
}

impl HubBuilder {
    /// How many readers may read from the history at the same moment; the others wait for their turn, with
    /// keep-alives. The default is 32; 0 counts as 1. What the window holds is not limited.
    pub fn max_concurrent_replays(self, max_concurrent_replays: usize) -> Self {
        Self { max_concurrent_replays, ..self }
    }

    /// How many bytes per second each reader may have read for it from the history: a reader that is over it is paced
    /// and not cut off, because it would come back for the rest at once. The default is no limit; 0 counts as 1.
    ///
    /// It is kept on average, over blocks of up to 500 records or 64 KiB. A reader that is paced below what is being published
    /// never catches up.
    pub fn replay_rate(self, bytes_per_second: u64) -> Self {
        Self { replay_rate: Some(bytes_per_second), ..self }
    }
}
