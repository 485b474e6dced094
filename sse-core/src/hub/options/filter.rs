//! Readers that do not get everything they asked for: events that a filter withholds or a newer event replaces.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use super::event_view::EventView;
use crate::hub::control_events;
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

/// The events of one poll that a reader gets.
pub(crate) struct Batch<'a> {
    filter: &'a EventFilter,
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
    pub(crate) fn push(
        &mut self,
        event: &EventView<'_>,
        seq: u64,
        frame: impl FnOnce() -> Frame,
    ) -> Result<(), Panic> {
        Panic::catch(|| self.decide(event, seq, frame))
    }

    fn decide(&mut self, event: &EventView<'_>, seq: u64, frame: impl FnOnce() -> Frame) {
        let Some(permitted) = self.filter.permit(event, seq, frame) else { return };
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

    /// Returns whether newer events replace older ones, so that one poll must decide about all of them.
    pub(in crate::hub) fn conflates(&self) -> bool {
        self.keys.is_some()
    }

    /// Adds a filter: an event passes if every filter lets it through.
    pub(in crate::hub) fn add(&mut self, filter: impl Fn(&EventView<'_>) -> bool + Send + Sync + 'static) {
        self.filters.push(Arc::new(filter));
    }

    /// Lets events with the same key replace each other.
    pub(in crate::hub) fn conflate_by<K, F>(&mut self, key: F)
    where
        K: Hash + Eq + Send + 'static,
        F: Fn(&EventView<'_>) -> Option<K> + Send + Sync + 'static,
    {
        let key = Arc::new(key);
        self.keys = Some(Arc::new(move || {
            let key = Arc::clone(&key);
            let mut numbers: HashMap<K, usize> = HashMap::new();
            Box::new(move |event| {
                let next = numbers.len();
                Some(*numbers.entry(key(event)?).or_insert(next))
            })
        }));
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        let numbering = self.keys.as_ref().map(|begin| begin());
        Batch { filter: self, numbering, newest: HashMap::new(), taken: Vec::new() }
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
