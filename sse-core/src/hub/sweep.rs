//! The hub's periodic work: drops readers that do not read, and evicts events that have become too old.

use std::{
    ops::Range,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use super::{feeds::feed::Feed, readers::reader::Closed, shared::Shared};
use crate::metrics;

/// How often the window's age limits are checked, in ticks.
const TICKS_PER_EVICTION: u64 = 8;

/// The number of readers that are checked before publishers, which wait while a feed is locked, and other tasks
/// have their turn. An idle reader's state is usually not in cache.
const READERS_PER_STEP: usize = 32;

impl Shared {
    /// Keeps the sweeper running. It needs a runtime, and every reader has one.
    pub(in crate::hub) fn ensure_sweeper(self: &Arc<Self>) {
        self.keep_sweeper(|| {
            let runtime = tokio::runtime::Handle::try_current().ok()?;
            let tick = (self.stalled_after / 8).clamp(Duration::from_millis(10), Duration::from_secs(1));
            Some(runtime.spawn(sweep(Arc::downgrade(self), tick)))
        });
    }
}

/// Runs until the hub is dropped.
async fn sweep(hub: Weak<Shared>, tick: Duration) {
    let mut ticks: u64 = 0;
    let mut bytes = 0;
    loop {
        tokio::time::sleep(tick).await;
        let Some(hub) = hub.upgrade() else {
            metrics::window_bytes(bytes, 0);
            return;
        };
        ticks += 1;
        let passed = u64::try_from(tick.as_millis()).unwrap_or(u64::MAX);
        let now = hub.clock.fetch_add(passed, Ordering::Relaxed).saturating_add(passed);
        let before = std::mem::replace(&mut bytes, hub.window.lock().bytes());
        metrics::window_bytes(before, bytes);
        drop_stalled(&hub, now).await;
        if ticks.is_multiple_of(TICKS_PER_EVICTION) {
            let mut next = Some(0);
            while let Some(place) = next {
                next = hub.window.sweep_from(place);
                tokio::task::yield_now().await;
            }
            if cfg!(feature = "compress") {
                release_compressors(&hub).await;
            }
        }
    }
}

/// Releases the compressors of idle feeds.
async fn release_compressors(hub: &Shared) {
    let now = tokio::time::Instant::now();
    for (number, feed) in hub.window.feeds().enumerate() {
        if number % READERS_PER_STEP == READERS_PER_STEP - 1 {
            tokio::task::yield_now().await;
        }
        let shared = feed.lock().gzip.live();
        if let Some(shared) = shared {
            shared.release_idle(now);
        }
    }
}

/// Drops the readers that have had something to take for longer than `stalled_after` and have not asked for it.
async fn drop_stalled(hub: &Shared, now: u64) {
    let mut looked_at = 0;
    for feed in hub.window.feeds() {
        let mut lags = Vec::new();
        let mut dropped = 0;
        let mut end = feed.lock().readers.len();
        // From the end, because the last reader, which was already checked, takes the index of a reader that
        // leaves.
        while end > 0 {
            let places = end.saturating_sub(READERS_PER_STEP)..end;
            end = places.start;
            looked_at += places.len();
            dropped += drop_stalled_among(hub, &feed, places, now, &mut lags);
            if looked_at >= READERS_PER_STEP {
                looked_at = 0;
                tokio::task::yield_now().await;
            }
        }
        metrics::lags(&lags);
        if dropped > 0 {
            tracing::info!(readers = dropped, topics = ?feed.patterns, "dropped readers that do not read");
            hub.window.counters.count_stalled(dropped);
        }
    }
}

/// Drops the stalled readers at these indexes, and adds how far each reader is behind; returns how many were
/// dropped.
fn drop_stalled_among(
    hub: &Shared,
    feed: &Feed,
    places: Range<usize>,
    now: u64,
    lags: &mut Vec<u64>,
) -> usize {
    let deadline = u64::try_from(hub.stalled_after.as_millis()).unwrap_or(u64::MAX);
    let mut inner = feed.lock();
    let last = inner.backlog.last;
    let mut stalled = Vec::new();
    for reader in inner.readers.iter().take(places.end).skip(places.start) {
        let behind = last.saturating_sub(reader.position());
        if behind == 0 && !reader.has_frames.load(Ordering::Relaxed) {
            continue;
        }
        if cfg!(feature = "metrics") && behind > 0 {
            lags.push(behind);
        }
        if reader.is_waiting.load(Ordering::Acquire) {
            // The reader has something to take only once the hub's own work is done.
            reader.asked_at.store(now, Ordering::Relaxed);
            continue;
        }
        if now.saturating_sub(reader.asked_at.load(Ordering::Relaxed)) > deadline {
            stalled.push(Arc::clone(reader));
        }
    }
    for reader in &stalled {
        reader.end(Closed::Stall);
        inner.remove_reader(reader);
        hub.registry.leave(reader);
    }
    drop(inner);
    for reader in &stalled {
        reader.holding.free(&hub.window.counters);
    }
    stalled.len()
}
