//! Earlier events of topics that a reader adds.

use crate::hub::{
    Start, Subscription,
    feeds::chunk::CHUNK_BYTES,
    feeds::feed::FeedInner,
    options::filter::{EventFilter, PermittedFrame},
    window::tagged::TaggedFrame,
};
use crate::{history::Pattern, panic::Panic};

/// The events of some topics after one position and up to another. They are read from the window a chunk at a
/// time; events that the window evicts meanwhile are not sent.
pub(crate) struct Backfill {
    patterns: Vec<Pattern>,
    after: u64,
    until: u64,
}

impl Backfill {
    /// Leaves out what comes after `position`.
    pub(in crate::hub) fn cut(&mut self, position: u64) {
        self.until = self.until.min(position);
    }
}

impl Subscription {
    /// Puts the earlier state of topics before everything else, without ids, so that positions only increase.
    pub(in crate::hub) fn backfill(&mut self, patterns: Vec<Pattern>, start: Start) {
        let mut backfill = Backfill { patterns, after: 0, until: self.position };
        match start {
            Start::Live => return,
            Start::Earliest => {}
            Start::Latest(count) => {
                let sieve = self.sieve();
                // A lock that a panic of the filter poisoned is used like any other.
                match Panic::catch(|| self.feed.lock().before_latest(&backfill, count, &sieve)) {
                    Ok(after) => backfill.after = after,
                    Err(panic) => return self.fail(panic),
                }
            }
        }
        self.extras.get_or_insert_default().backfills.push_back(backfill);
    }

    pub(in crate::hub) fn has_backfill(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| !extras.backfills.is_empty())
    }

    /// Takes the next chunk of the earlier state.
    pub(in crate::hub) fn read_backfill(&mut self) {
        let sieve = self.sieve();
        let Some(extras) = &mut self.extras else { return };
        let Some(backfill) = extras.backfills.front_mut() else { return };
        let events = self.feed.lock().earlier(backfill);
        match events.last() {
            Some(last) => backfill.after = last.seq,
            None => drop(extras.backfills.pop_front()),
        }
        for event in events {
            let permitted = self.permit(&sieve, event.labels.as_slice(), &event.frame, event.seq);
            self.hold(permitted.map(PermittedFrame::without_id), self.position);
        }
    }
}

impl TaggedFrame {
    fn permitted(&self, sieve: &EventFilter) -> Option<PermittedFrame> {
        sieve.permit_frame(self.labels.as_slice(), &self.frame, self.seq)
    }
}

impl FeedInner {
    /// Returns the next events of a backfill, as many as fit into a chunk but at least one if there is any.
    fn earlier(&self, Backfill { patterns, after, until }: &Backfill) -> Vec<TaggedFrame> {
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
    fn before_latest(
        &self,
        Backfill { patterns, until, .. }: &Backfill,
        count: usize,
        sieve: &EventFilter,
    ) -> u64 {
        let mut newest: Vec<u64> = Vec::new();
        for ring in
            self.rings.iter().filter(|ring| patterns.iter().any(|pattern| pattern.matches(&ring.topic)))
        {
            let ring_inner = ring.lock();
            let earlier = ring_inner.after(0).rev().skip_while(|kept| kept.seq > *until);
            let permitted = earlier.filter(|kept| kept.tagged(&ring.topic).permitted(sieve).is_some());
            newest.extend(permitted.take(count).map(|kept| kept.seq));
        }
        newest.sort_unstable();
        newest.dedup();
        let first = newest.len().checked_sub(count.min(newest.len())).and_then(|index| newest.get(index));
        first.map_or(*until, |first| first - 1)
    }
}
