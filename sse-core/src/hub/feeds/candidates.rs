//! The events of a poll for a reader that decides about each event by itself.

use super::{backlog::Backlog, chunk::CHUNK_BYTES};
use crate::hub::{options::filter::EventFilter, window::ring::Evicted, window::tagged::TaggedFrame};

/// The events of one poll, for a reader that decides about each event by itself.
pub(in crate::hub) enum Candidates {
    Events(Vec<TaggedFrame>),
    Signals(Vec<TaggedFrame>),
}
/// Returns how many bytes of events one poll decides about.
pub(in crate::hub) fn batch_bytes(filter: &EventFilter) -> usize {
    if filter.conflates() { usize::MAX } else { CHUNK_BYTES }
}

impl Backlog {
    /// Returns the events after `position` one by one with their topics, about `max` bytes of them.
    pub(crate) fn candidates_after(
        &self,
        position: u64,
        ignored_evictions: &[u64],
        max: usize,
    ) -> Result<Vec<TaggedFrame>, Evicted> {
        if self.last <= position {
            return Ok(Vec::new());
        }
        let mut found = match self.recent_after(position) {
            Some(recent) => recent.cloned().collect(),
            None if self.is_wide() => return Err(Evicted),
            None => self.candidates_in_rings(position, ignored_evictions, max)?,
        };
        let mut bytes = 0;
        let fitting = found.iter().take_while(|event| {
            bytes += event.frame.bytes().len();
            bytes <= max
        });
        let count = fitting.count();
        found.truncate(count.max(1));
        Ok(found)
    }

    /// Locks each ring once. A ring that holds more than fits limits the position up to which the result is
    /// complete.
    fn candidates_in_rings(
        &self,
        position: u64,
        ignored_evictions: &[u64],
        max: usize,
    ) -> Result<Vec<TaggedFrame>, Evicted> {
        let mut found: Vec<TaggedFrame> = Vec::new();
        let mut complete = self.last;
        for (index, topic_ring) in self.rings.iter().enumerate() {
            let ring = topic_ring.lock();
            if ring.misses_after(position, ignored_evictions.get(index)) {
                return Err(Evicted);
            }
            let mut bytes = 0;
            for kept in ring.after(position) {
                if kept.seq > complete {
                    break;
                }
                found.push(kept.tagged(&topic_ring.topic));
                bytes += kept.frame.bytes().len();
                if bytes > max {
                    complete = kept.seq;
                }
            }
        }
        found.retain(|event| event.seq <= complete);
        found.sort_unstable_by_key(|event| event.seq);
        found.dedup_by_key(|event| event.seq);
        Ok(found)
    }
}
