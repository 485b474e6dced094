//! Earlier events of topics that a reader adds.

use super::{backlog::Backlog, chunk::CHUNK_BYTES};
use crate::history::Pattern;
use crate::hub::{
    options::filter::{EventFilter, PermittedFrame},
    window::tagged::TaggedFrame,
};

/// The events of some topics after one position and up to another. They are read from the window a chunk at a
/// time; events that the window evicts meanwhile are not sent.
pub(crate) struct Backfill {
    pub(in crate::hub) patterns: Vec<Pattern>,
    pub(in crate::hub) after: u64,
    pub(in crate::hub) until: u64,
}

impl Backfill {
    /// Leaves out what comes after `position`.
    pub(in crate::hub) fn cut(&mut self, position: u64) {
        self.until = self.until.min(position);
    }
}

impl TaggedFrame {
    fn permitted(&self, filter: &EventFilter) -> Option<PermittedFrame> {
        filter.permit_frame(self.topics.as_slice(), &self.frame, self.seq)
    }
}

impl Backlog {
    /// Returns the next events of a backfill, as many as fit into a chunk but at least one if there is any.
    pub(in crate::hub) fn earlier(&self, Backfill { patterns, after, until }: &Backfill) -> Vec<TaggedFrame> {
        let mut found: Vec<TaggedFrame> = Vec::new();
        for ring in
            self.rings.iter().filter(|ring| patterns.iter().any(|pattern| pattern.matches(&ring.topic)))
        {
            let mut bytes = 0;
            for kept in ring.lock().after(*after).take_while(|kept| kept.seq <= *until) {
                bytes += kept.frame.bytes().len();
                found.push(kept.tagged(&ring.topic));
                if bytes > CHUNK_BYTES {
                    break;
                }
            }
        }
        found.sort_unstable_by_key(|event| event.seq);
        found.dedup_by_key(|event| event.seq);
        let mut bytes = 0;
        let fits = |event: &&TaggedFrame| {
            bytes += event.frame.bytes().len();
            bytes <= CHUNK_BYTES
        };
        let count = found.iter().take_while(fits).count().max(1);
        found.truncate(count);
        found
    }

    /// Returns the position before the newest `count` events of a backfill that the filter lets through.
    pub(in crate::hub) fn before_latest(
        &self,
        Backfill { patterns, until, .. }: &Backfill,
        count: usize,
        filter: &EventFilter,
    ) -> u64 {
        let mut newest: Vec<u64> = Vec::new();
        for ring in
            self.rings.iter().filter(|ring| patterns.iter().any(|pattern| pattern.matches(&ring.topic)))
        {
            let ring_inner = ring.lock();
            let earlier = ring_inner.after(0).rev().skip_while(|kept| kept.seq > *until);
            let permitted = earlier.filter(|kept| kept.tagged(&ring.topic).permitted(filter).is_some());
            newest.extend(permitted.take(count).map(|kept| kept.seq));
        }
        newest.sort_unstable();
        newest.dedup();
        let first = newest.len().checked_sub(count.min(newest.len())).and_then(|index| newest.get(index));
        first.map_or(*until, |first| first - 1)
    }
}
