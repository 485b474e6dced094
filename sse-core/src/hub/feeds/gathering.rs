//! How a reader of very many topics catches up.
//!
//! To merge the rings under one lock would block publishers. So the rings are read in steps, in turn for the
//! window's lock, and other tasks run in between. No frame is missed: only frames up to the feed's newest at the
//! beginning are gathered, all of them are in their rings by then, and if a ring has lost one meanwhile, the
//! gathering detects it.

use std::collections::BTreeMap;

use super::backlog::Backlog;
use crate::hub::window::tagged::TaggedFrame;

/// The number of rings that one step reads under the feed's lock.
const RINGS_PER_STEP: usize = 1_024;

/// The progress of a gathering.
pub(in crate::hub) struct Gathering {
    /// The reader's position, the feed and its generation at the beginning. If one of them changes, the gathering
    /// starts again.
    position: u64,
    generation: u64,
    feed: u64,
    /// The position up to which the gathered frames are complete.
    pub(in crate::hub) until: u64,
    /// The index of the ring to read next.
    next: usize,
    pub(in crate::hub) found: BTreeMap<u64, TaggedFrame>,
    bytes: usize,
    /// The highest position that was evicted before the reader could take it.
    pub(in crate::hub) missed: Option<u64>,
}

impl Gathering {
    pub(in crate::hub) fn new(position: u64, feed: u64, missed: Option<u64>, backlog: &Backlog) -> Self {
        let (until, generation) = (backlog.last, backlog.generation());
        Self { position, generation, feed, until, next: 0, found: BTreeMap::new(), bytes: 0, missed }
    }

    pub(in crate::hub) fn is_of(&self, position: u64, feed: u64, backlog: &Backlog) -> bool {
        self.position == position && self.feed == feed && self.generation == backlog.generation()
    }

    /// Reads the next rings; returns whether these were the last.
    pub(in crate::hub) fn step(&mut self, backlog: &Backlog, ignored_evictions: &[u64], max: usize) -> bool {
        let rings = backlog.rings.iter().enumerate().skip(self.next).take(RINGS_PER_STEP);
        for (index, topic_ring) in rings {
            self.next = index + 1;
            let ring = topic_ring.lock();
            if ring.misses_after(self.position, ignored_evictions.get(index)) {
                self.missed = self.missed.max(Some(ring.evicted));
                continue;
            }
            for kept in ring.after(self.position) {
                if kept.seq > self.until {
                    break;
                }
                // A frame of several topics is in several rings; the first copy found is as good as the others.
                if self.found.contains_key(&kept.seq) {
                    continue;
                }
                self.bytes += kept.frame.bytes().len();
                self.found.insert(kept.seq, kept.tagged(&topic_ring.topic));
                self.keep_within(max);
            }
        }
        self.next >= backlog.rings.len()
    }

    /// Drops the newest frames that do not fit; the reader takes them later.
    fn keep_within(&mut self, max: usize) {
        while self.bytes > max && self.found.len() > 1 {
            let Some((seq, newest)) = self.found.pop_last() else { return };
            self.bytes -= newest.frame.bytes().len();
            self.until = seq - 1;
        }
    }
}
