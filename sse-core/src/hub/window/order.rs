use std::{collections::VecDeque, sync::Arc};

use super::ring::TopicRing;

/// The number of entries that are cleared of evicted ones at a time.
const SEGMENT: usize = 1_024;

/// Every frame of the window with its ring, oldest first, to find what to evict when the total is reached.
///
/// A frame that its topic's own retention evicted stays listed for a while. Once such frames are most of the
/// list, each further frame clears one segment of them, so that the cost is spread over the publishes.
#[derive(Default)]
pub(crate) struct Order {
    segments: VecDeque<VecDeque<Entry>>,
    len: usize,
    /// The segment that is cleared next.
    next: usize,
}

type Entry = (u64, Arc<TopicRing>);

impl Order {
    pub(crate) fn push_back(&mut self, seq: u64, ring: Arc<TopicRing>) {
        match self.segments.back_mut() {
            Some(newest) if newest.len() < SEGMENT => newest.push_back((seq, ring)),
            _ => self.segments.push_back(VecDeque::from([(seq, ring)])),
        }
        self.len += 1;
    }

    pub(crate) fn pop_front(&mut self) -> Option<Entry> {
        loop {
            let oldest = self.segments.front_mut()?;
            if let Some(entry) = oldest.pop_front() {
                self.len -= 1;
                return Some(entry);
            }
            self.segments.pop_front();
            self.next = self.next.saturating_sub(1);
        }
    }

    /// Returns the rings that list a frame at `seq`.
    pub(crate) fn at(&self, seq: u64) -> impl Iterator<Item = &Arc<TopicRing>> {
        let ends_before = |segment: &VecDeque<Entry>| segment.back().is_none_or(|(last, _)| *last < seq);
        let first = self.segments.partition_point(ends_before);
        let segments = self.segments.range(first..).flatten();
        segments
            .skip_while(move |(kept, _)| *kept < seq)
            .take_while(move |(kept, _)| *kept == seq)
            .map(|(_, ring)| ring)
    }

    /// Drops the entries at `fork` and after it.
    pub(crate) fn truncate(&mut self, fork: u64) {
        while let Some(newest) = self.segments.back_mut() {
            let keep = newest.partition_point(|(seq, _)| *seq < fork);
            self.len -= newest.len() - keep;
            newest.truncate(keep);
            if keep > 0 {
                return;
            }
            self.segments.pop_back();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Clears one segment, if most of the list is evicted; `frames` is the number of stored frames.
    pub(crate) fn clear_some(&mut self, frames: usize) {
        if self.len <= 2 * frames + SEGMENT {
            return;
        }
        if self.next >= self.segments.len() {
            self.next = 0;
        }
        let Some(segment) = self.segments.get_mut(self.next) else { return };
        let before = segment.len();
        segment.retain(|(seq, ring)| ring.lock().after(seq - 1).next().is_some_and(|kept| kept.seq == *seq));
        segment.shrink_to_fit();
        self.len -= before - segment.len();
        if segment.is_empty() {
            self.segments.remove(self.next);
        } else {
            self.next += 1;
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}
