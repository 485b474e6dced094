use std::{collections::HashMap, sync::Arc};

use super::ring::TopicRing;
use crate::history::Topic;

/// The rings of all topics, by name and by index.
///
/// A topic is removed by its ring and never by its name, so that a ring found earlier cannot remove its
/// successor. Indexes let a long walk over all topics continue after the lock was released.
#[derive(Default)]
pub(crate) struct Topics {
    by_name: HashMap<Topic, Arc<TopicRing>>,
    places: Vec<Option<Arc<TopicRing>>>,
    free: Vec<usize>,
}

impl Topics {
    pub(crate) fn get(&self, topic: &Topic) -> Option<&Arc<TopicRing>> {
        self.by_name.get(topic)
    }

    /// Adds the ring that `make` returns for an index. Its topic must not have a ring yet.
    pub(crate) fn insert(&mut self, make: impl FnOnce(usize) -> TopicRing) -> Arc<TopicRing> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        let ring = Arc::new(make(place));
        if let Some(free) = self.places.get_mut(place) {
            *free = Some(Arc::clone(&ring));
        }
        self.by_name.insert(ring.topic.clone(), Arc::clone(&ring));
        ring
    }

    /// Returns whether `ring` is the current ring of its topic.
    pub(crate) fn holds(&self, ring: &Arc<TopicRing>) -> bool {
        matches!(self.places.get(ring.place), Some(Some(current)) if Arc::ptr_eq(current, ring))
    }

    /// Removes `ring`, if it is the current ring of its topic; returns whether it was.
    pub(crate) fn remove(&mut self, ring: &Arc<TopicRing>) -> bool {
        let is_current = self.holds(ring);
        if is_current && let Some(place) = self.places.get_mut(ring.place) {
            *place = None;
            self.free.push(ring.place);
            self.by_name.remove(&ring.topic);
        }
        is_current
    }

    #[cfg(test)]
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<TopicRing>> {
        self.places.iter().flatten()
    }

    /// Returns the ring at index `place`, if there is one.
    pub(crate) fn at(&self, place: usize) -> Option<&Arc<TopicRing>> {
        self.places.get(place)?.as_ref()
    }

    /// Returns the number of indexes, some of which may be free.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
}
