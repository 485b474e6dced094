//! Readers that do not get everything they asked for: what a filter withholds and what a newer event replaces.

use std::sync::Arc;

use super::{
    EventView, Subscribe, Subscription,
    feed::{Evicted, FeedInner},
    labels::Labelled,
};
use crate::{history::Topic, wire::Frame};

pub(crate) type Filter = Arc<dyn Fn(&EventView<'_>) -> bool + Send + Sync>;

/// What decides about each event of one reader.
#[derive(Default, Clone)]
pub(crate) struct Sieve {
    filters: Vec<Filter>,
}

impl Sieve {
    pub(crate) fn is_open(&self) -> bool {
        self.filters.is_empty()
    }

    /// Whether the reader may see it.
    pub(crate) fn allows(&self, event: &EventView<'_>) -> bool {
        self.filters.iter().all(|filter| filter(event))
    }

    /// Those that the reader gets.
    pub(crate) fn sift(&self, candidates: Vec<Labelled>) -> impl Iterator<Item = (u64, Frame)> {
        let allows =
            |event: &Labelled| self.allows(&EventView::of_frame(event.labels.as_slice(), &event.frame));
        let allowed = candidates.into_iter().filter(move |event| allows(event));
        allowed.map(|event| (event.seq, event.frame))
    }
}

impl FeedInner {
    /// The events after `position` one by one with their topics, about `most` bytes of them.
    pub(crate) fn candidates_after(
        &self,
        position: u64,
        forgiven: &[u64],
        most: usize,
    ) -> Result<Vec<Labelled>, Evicted> {
        if self.last <= position {
            return Ok(Vec::new());
        }
        let mut found = match self.recent_after(position) {
            Some(recent) => recent.cloned().collect(),
            None => self.candidates_in_rings(position, forgiven, most)?,
        };
        let mut bytes = 0;
        let fitting = found.iter().take_while(|event| {
            bytes += event.frame.bytes().len();
            bytes <= most
        });
        let count = fitting.count();
        found.truncate(count.max(1));
        Ok(found)
    }

    /// Each ring is locked once. One that holds more than fits ends what is complete.
    fn candidates_in_rings(
        &self,
        position: u64,
        forgiven: &[u64],
        most: usize,
    ) -> Result<Vec<Labelled>, Evicted> {
        let mut found: Vec<Labelled> = Vec::new();
        let mut complete = self.last;
        for (index, topic_ring) in self.rings.iter().enumerate() {
            let ring = topic_ring.lock();
            if ring.misses_after(position, forgiven.get(index)) {
                return Err(Evicted);
            }
            let mut bytes = 0;
            for kept in ring.after(position) {
                if kept.seq > complete {
                    break;
                }
                found.push(kept.labelled(&topic_ring.topic));
                bytes += kept.frame.bytes().len();
                if bytes > most {
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

impl Subscription {
    /// Decides about events; what is let through is said before the next look.
    pub(super) fn sift(&mut self, events: Vec<Labelled>) {
        let (Some(last), Some(sieve)) = (events.last(), self.sieve()) else { return };
        let through = last.seq;
        self.ahead.extend(sieve.sift(events));
        if self.ahead.is_empty() {
            self.move_to(through);
        } else {
            self.ahead_through = through;
        }
    }

    pub(super) fn sift_signals(&mut self, signals: Vec<Labelled>) {
        if let Some(sieve) = self.sieve() {
            sieve.sift(signals).for_each(|(_, frame)| self.say(frame));
        }
    }

    fn sieve(&self) -> Option<Arc<Sieve>> {
        self.extras.as_ref().and_then(|extras| extras.sieve.clone())
    }

    /// Whether the reader may be told of an event.
    pub(super) fn allows(&self, topics: &[Topic], frame: &Frame) -> bool {
        self.sieve().is_none_or(|sieve| sieve.allows(&EventView::of_frame(topics, frame)))
    }

    /// Whether the last events were withheld, so that a reader whose topics are finished does not know it yet.
    pub(super) fn owes_checkpoint(&self) -> bool {
        self.sieve().is_some() && self.told != Some(self.position)
    }
}

impl Subscribe {
    /// Withholds each event for which `filter` answers `false`: the same for replay, for the history and live, for
    /// signals and for the end of a topic (`sse.end`); of several filters all must answer `true`.
    ///
    /// What is withheld is passed for good: the reader's cursor moves past it by checkpoints, and it does not come
    /// back when the filter's answer changes. The filter runs in the reader's task, for every event of the topics
    /// asked for, so it should be quick and must not block. A filtered reader shares no chunks with others. Positions
    /// count in the whole hub, so a reader can tell how much was published, but not what.
    pub fn filter(mut self, filter: impl Fn(&EventView<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.terms.sieve.filters.push(Arc::new(filter));
        self
    }
}
