use std::sync::Arc;

use super::ring::TopicRing;
use crate::hub::feeds::feed::Feed;

/// The feeds that read each topic, by the index of the topic's ring.
///
/// The window's lock guards them. A ring that its topic no longer has must not be asked for: its index may be
/// another topic's by now.
#[derive(Default)]
pub(crate) struct TopicFeeds(Vec<Vec<Arc<Feed>>>);

impl TopicFeeds {
    /// Returns the feeds that read the topic of a ring, sorted by id.
    pub(crate) fn of(&self, ring: &TopicRing) -> &[Arc<Feed>] {
        self.0.get(ring.place).map_or(&[], Vec::as_slice)
    }

    /// Adds a feed that reads the topic; returns `false` if it was already added.
    pub(crate) fn add(&mut self, ring: &TopicRing, feed: &Arc<Feed>) -> bool {
        if self.0.len() <= ring.place {
            self.0.resize_with(ring.place + 1, Vec::new);
        }
        let Some(feeds) = self.0.get_mut(ring.place) else { return false };
        match feeds.binary_search_by_key(&feed.id, |known| known.id) {
            Ok(_) => false,
            Err(index) => {
                feeds.insert(index, Arc::clone(feed));
                true
            }
        }
    }

    pub(crate) fn remove(&mut self, ring: &TopicRing, feed: &Feed) {
        let Some(feeds) = self.0.get_mut(ring.place) else { return };
        if let Ok(index) = feeds.binary_search_by_key(&feed.id, |known| known.id) {
            feeds.remove(index);
            if feeds.is_empty() {
                *feeds = Vec::new();
            }
        }
    }

    /// Removes all feeds of the topic.
    pub(crate) fn clear(&mut self, ring: &TopicRing) {
        if let Some(feeds) = self.0.get_mut(ring.place) {
            *feeds = Vec::new();
        }
    }
}
