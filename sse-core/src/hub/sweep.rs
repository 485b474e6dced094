//! What a hub does from time to time: drops readers that do not read, and evicts what has become too old.

use std::{
    sync::{
        Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Shared, reader::EndedBy};
use crate::metrics;

/// How often the window's age limits are looked at, in ticks.
const TICKS_PER_EVICTION: u64 = 8;

/// Runs until the hub is gone.
pub(crate) async fn sweep(hub: Weak<Shared>, tick: Duration) {
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
        drop_stalled(&hub, now);
        if ticks.is_multiple_of(TICKS_PER_EVICTION) {
            hub.window.sweep();
            #[cfg(feature = "compress")]
            rest(&hub);
        }
    }
}

/// Lets compressors go whose feeds are quiet.
#[cfg(feature = "compress")]
fn rest(hub: &Shared) {
    let now = tokio::time::Instant::now();
    for feed in hub.window.feeds() {
        let blocks = feed.lock().live_blocks();
        if let Some(blocks) = blocks {
            blocks.rest(now);
        }
    }
}

/// Drops the readers that have had something to take for longer than `deadline` and have not asked for it.
fn drop_stalled(hub: &Shared, now: u64) {
    let Shared { window, registry, stalled_after, .. } = hub;
    let deadline = u64::try_from(stalled_after.as_millis()).unwrap_or(u64::MAX);
    let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
    for feed in window.feeds() {
        let mut inner = feed.lock();
        let last = inner.last;
        let mut lags = Vec::new();
        if cfg!(feature = "metrics") {
            let behind = |reader| last.saturating_sub(load(reader));
            let positions = inner.readers.iter().map(|reader| &reader.position);
            lags.extend(positions.map(behind).filter(|behind| *behind > 0));
        }
        let stalled: Vec<_> = inner
            .readers
            .iter()
            .filter(|reader| {
                load(&reader.position) < last && now.saturating_sub(load(&reader.asked_at)) > deadline
            })
            .cloned()
            .collect();
        for reader in &stalled {
            reader.end(EndedBy::Stall);
            inner.remove_reader(reader);
            registry.leave(reader);
        }
        drop(inner);
        metrics::lags(&lags);
        if !stalled.is_empty() {
            tracing::info!(readers = stalled.len(), topics = ?feed.patterns, "dropped readers that do not read");
            window.counters.count_stalled(stalled.len());
        }
    }
}
