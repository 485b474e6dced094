use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

#[cfg(doc)]
use crate::hub::HubBuilder;
use crate::{
    metrics,
    resume::{Cursor, GapReason},
};

/// What a hub has done and holds, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The cursor of the newest event.
    pub head: Cursor,
    /// The number of readers of each topic or pattern with readers; a reader of several counts for each.
    pub readers: BTreeMap<String, usize>,
    /// The number of topics that the window holds.
    pub topics: usize,
    /// The encoded bytes that the window holds.
    pub window_bytes: usize,
    /// The memory that these events take with their topics; [`HubBuilder::total_bytes`] limits it.
    pub memory_bytes: usize,
    /// The bytes of signals and events that are kept ready for readers that are behind, besides the window. For
    /// each set of topics with readers, these are at most 256 KiB of signals, 256 KiB of joined events and 1 MiB
    /// of merged events, or one of each that is larger; nothing once all readers of the set have caught up.
    pub shared_bytes: usize,
    /// The events published or received from the history since the start.
    pub published: u64,
    /// The gap notices sent since the start, by reason.
    pub gaps: BTreeMap<&'static str, u64>,
    /// The encoded bytes that are held for single readers, besides the window: replayed events, states and
    /// notices that they have not taken yet. The bytes are freed when a reader takes them, leaves, or is dropped
    /// because it does not read.
    pub held_bytes: usize,
    /// The readers dropped since the start because they did not read.
    pub stalled: u64,
}

/// Counters of a hub; all but `held` only grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) stalled: AtomicU64,
    /// The bytes held for single readers now.
    pub(crate) held: AtomicUsize,
    gaps: [AtomicU64; GAP_REASONS.len()],
}

const GAP_REASONS: [GapReason; 5] =
    [GapReason::Epoch, GapReason::Fork, GapReason::Future, GapReason::Malformed, GapReason::Trimmed];

impl Counters {
    pub(crate) fn count_published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
        metrics::published();
    }

    pub(crate) fn count_stalled(&self, readers: usize) {
        self.stalled.fetch_add(readers as u64, Ordering::Relaxed);
        metrics::stalled(readers as u64);
    }

    pub(crate) fn hold(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_gap(&self, reason: GapReason) {
        metrics::gap(reason.as_str());
        let counters = GAP_REASONS.iter().zip(&self.gaps);
        for (_, counter) in counters.filter(|(known, _)| **known == reason) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn gaps(&self) -> BTreeMap<&'static str, u64> {
        let counters = GAP_REASONS.iter().zip(&self.gaps);
        counters.map(|(reason, count)| (reason.as_str(), count.load(Ordering::Relaxed))).collect()
    }
}
