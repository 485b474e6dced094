//! Readers that do not get everything they asked for: events that a filter withholds or a newer event replaces.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use crate::hub::{
    EndReason, EventView, Subscribe, Subscription, control_events,
    feeds::chunk::CHUNK_BYTES,
    feeds::feed::{Evicted, FeedInner},
    window::tagged::TaggedFrame,
};
use crate::{history::Topic, panic::Panic, wire::Frame};

type Filter = Arc<dyn Fn(&EventView<'_>) -> bool + Send + Sync>;

/// Numbers the keys of one batch of events; the same key gets the same number.
type Numbering = Box<dyn FnMut(&EventView<'_>) -> Option<usize> + Send>;

/// The filters and the conflation keys of one reader.
#[derive(Default, Clone)]
pub(crate) struct EventFilter {
    filters: Vec<Filter>,
    /// Begins to number keys, if events of the same key replace each other.
    keys: Option<Arc<dyn Fn() -> Numbering + Send + Sync>>,
}

/// An event's frame that a reader's filter let through; made only by [`EventFilter::permit`].
pub(crate) struct PermittedFrame {
    seq: u64,
    frame: Frame,
}

/// The events of one poll, for a reader that decides about each event by itself.
pub(in crate::hub) enum Candidates {
    Events(Vec<TaggedFrame>),
    Signals(Vec<TaggedFrame>),
}

/// The events of one poll that a reader gets.
pub(crate) struct Batch<'a> {
    sieve: &'a EventFilter,
    numbering: Option<Numbering>,
    /// The index in `taken` of the newest event of each key.
    newest: HashMap<usize, usize>,
    taken: Vec<Option<PermittedFrame>>,
}

impl PermittedFrame {
    /// Returns the same frame without its id.
    pub(in crate::hub) fn without_id(self) -> Self {
        Self { seq: self.seq, frame: Frame::block(control_events::without_id(&self.frame)) }
    }

    /// Returns the position and the frame.
    pub(in crate::hub) fn into_parts(self) -> (u64, Frame) {
        (self.seq, self.frame)
    }
}

impl Batch<'_> {
    /// Decides about the next event, in order.
    ///
    /// # Errors
    /// If the filter or the key function panics; the result for this event and those after it is then unknown.
    pub(crate) fn offer(
        &mut self,
        event: &EventView<'_>,
        seq: u64,
        frame: impl FnOnce() -> Frame,
    ) -> Result<(), Panic> {
        Panic::catch(|| self.decide(event, seq, frame))
    }

    fn decide(&mut self, event: &EventView<'_>, seq: u64, frame: impl FnOnce() -> Frame) {
        let Some(permitted) = self.sieve.permit(event, seq, frame) else { return };
        // The hub's own events are not a state that a later event of the same key replaces.
        let numbering = self.numbering.as_mut().filter(|_| !event.event_type().starts_with("sse."));
        if let Some(key) = numbering.and_then(|number| number(event))
            && let Some(older) = self.newest.insert(key, self.taken.len())
            && let Some(replaced) = self.taken.get_mut(older)
        {
            *replaced = None;
        }
        self.taken.push(Some(permitted));
    }

    pub(crate) fn into_frames(self) -> Vec<PermittedFrame> {
        self.taken.into_iter().flatten().collect()
    }
}

impl EventFilter {
    pub(crate) fn is_open(&self) -> bool {
        self.filters.is_empty() && self.keys.is_none()
    }

    /// Returns how many bytes of events one poll decides about: all of them, if newer ones replace older ones.
    pub(crate) fn reach(&self) -> usize {
        if self.keys.is_some() { usize::MAX } else { CHUNK_BYTES }
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        let numbering = self.keys.as_ref().map(|begin| begin());
        Batch { sieve: self, numbering, newest: HashMap::new(), taken: Vec::new() }
    }

    /// Returns the event's frame, if every filter lets it through.
    pub(crate) fn permit(
        &self,
        event: &EventView<'_>,
        seq: u64,
        frame: impl FnOnce() -> Frame,
    ) -> Option<PermittedFrame> {
        let is_permitted = self.filters.iter().all(|filter| filter(event));
        is_permitted.then(|| PermittedFrame { seq, frame: frame() })
    }

    /// The same for a frame that is already encoded.
    pub(in crate::hub) fn permit_frame(
        &self,
        topics: &[Topic],
        frame: &Frame,
        seq: u64,
    ) -> Option<PermittedFrame> {
        self.permit(&EventView::of_frame(topics, frame), seq, || frame.clone())
    }
}

impl FeedInner {
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

impl Subscription {
    /// Filters the events that a poll found; the frames that pass are sent before the next poll.
    pub(in crate::hub) fn filter_events(&mut self, sieve: &EventFilter, candidates: Candidates) {
        match candidates {
            Candidates::Events(events) => self.sift_events(sieve, events),
            Candidates::Signals(signals) => {
                let position = self.position;
                for TaggedFrame { frame, labels, .. } in signals {
                    let permitted = self.permit(sieve, labels.as_slice(), &frame, position);
                    self.hold(permitted, position);
                }
            }
        }
    }

    fn sift_events(&mut self, sieve: &EventFilter, events: Vec<TaggedFrame>) {
        let mut through = self.position;
        let mut batch = sieve.batch();
        for TaggedFrame { seq, frame, labels } in events {
            let event = EventView::of_frame(labels.as_slice(), &frame);
            if let Err(panic) = batch.offer(&event, seq, || frame.clone()) {
                self.fail(panic);
                break;
            }
            through = seq;
        }
        if !self.hold(batch.into_frames(), through) {
            self.move_to(through);
        }
    }

    /// Returns the event's frame, if the filter lets it through; a panic of the filter ends the stream.
    pub(in crate::hub) fn permit(
        &mut self,
        sieve: &EventFilter,
        topics: &[Topic],
        frame: &Frame,
        seq: u64,
    ) -> Option<PermittedFrame> {
        Panic::catch(|| sieve.permit_frame(topics, frame, seq)).unwrap_or_else(|panic| {
            self.fail(panic);
            None
        })
    }

    /// Records that the application's code failed: the stream ends after the events decided before.
    pub(in crate::hub) fn fail(&mut self, panic: Panic) {
        self.extras.get_or_insert_default().failure.get_or_insert(Arc::new(panic));
    }

    /// Ends the stream if the application's code failed; returns whether it did.
    pub(in crate::hub) fn is_failed(&mut self) -> bool {
        let failure = self.extras.as_mut().and_then(|extras| extras.failure.take());
        let is_failed = failure.is_some();
        if let Some(failure) = failure {
            self.end(EndReason::Error(failure));
        }
        is_failed
    }

    /// Returns whether the last events were withheld, so that a reader whose topics are finished does not know
    /// it yet.
    pub(in crate::hub) fn owes_checkpoint(&self) -> bool {
        self.is_filtered() && self.announced != Some(self.position)
    }
}

impl Subscribe {
    /// Withholds each event for which `filter` returns `false`. The filter applies to replay from the window and
    /// the history, to live events, to signals and to the end of a topic (`sse.end`). If there are several
    /// filters, all must return `true`.
    ///
    /// A withheld event is skipped for good: checkpoints move the reader's cursor past it, and it does not come
    /// back when the filter's answer changes. The filter runs in the reader's task, for every event of the
    /// requested topics, so it should be fast and must not block. A filtered reader shares no bytes with others.
    /// Positions count in the whole hub, so a reader can infer how many events were published, but not their
    /// content.
    pub fn filter(mut self, filter: impl Fn(&EventView<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.terms.sieve.filters.push(Arc::new(filter));
        self
    }

    /// Sends a reader that lags only the latest event of each key: when the reader takes more, a pending event
    /// is left out if a later one has the same key. Events without a key, signals and the end of a topic are all
    /// sent.
    ///
    /// A reader that keeps up gets everything. Order and cursor stay exact: an omitted event was replaced by a
    /// later one that is sent. From the history, at most 500 records or 64 KiB are compared at a time. A
    /// conflating reader shares no chunks with others. The last of several calls counts.
    ///
    /// ```
    /// use sse_core::{Event, Hub, Pattern};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let mut prices = hub.subscribe(Pattern::new("prices.*")?).conflate_by(|event| event.topics().first().cloned()).await?;
    /// for price in ["1.07", "1.08", "1.09"] {
    ///     hub.publish("prices.eur", Event::message(price)).await?;
    /// }
    /// assert!(prices.next().await.ok_or("ended")?.as_ref().starts_with(b"data: 1.09\n"));
    /// # Ok(()) }
    /// ```
    pub fn conflate_by<K, F>(mut self, key: F) -> Self
    where
        K: Hash + Eq + Send + 'static,
        F: Fn(&EventView<'_>) -> Option<K> + Send + Sync + 'static,
    {
        let key = Arc::new(key);
        self.terms.sieve.keys = Some(Arc::new(move || {
            let key = Arc::clone(&key);
            let mut numbers: HashMap<K, usize> = HashMap::new();
            Box::new(move |event| {
                let next = numbers.len();
                Some(*numbers.entry(key(event)?).or_insert(next))
            })
        }));
        self
    }
}
