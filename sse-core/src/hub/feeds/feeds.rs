use std::{collections::HashMap, sync::Arc};

use super::feed::Feed;
use crate::history::Pattern;

/// All feeds, by patterns and by id.
///
/// A feed is removed by identity and never by its patterns, so that a feed found earlier cannot remove its
/// successor.
#[derive(Default)]
pub(crate) struct Feeds {
    by_patterns: HashMap<Box<[Pattern]>, Arc<Feed>>,
    by_id: std::collections::BTreeMap<u64, Arc<Feed>>,
    last_id: u64,
}

impl Feeds {
    pub(crate) fn get(&self, patterns: &[Pattern]) -> Option<&Arc<Feed>> {
        self.by_patterns.get(patterns)
    }

    /// Returns an id that no other feed has had.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn insert(&mut self, feed: &Arc<Feed>) {
        self.by_patterns.insert(feed.patterns.clone(), Arc::clone(feed));
        self.by_id.insert(feed.id, Arc::clone(feed));
    }

    /// Removes `feed`, if it is the current feed of its patterns; returns whether it was.
    pub(crate) fn remove(&mut self, feed: &Feed) -> bool {
        let is_current = self.by_id.remove(&feed.id).is_some();
        if is_current {
            self.by_patterns.remove(&feed.patterns);
        }
        is_current
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<Feed>> {
        self.by_id.values()
    }

    /// Returns the next `max` feeds after the one with this id.
    pub(crate) fn after(&self, id: u64, max: usize) -> Vec<Arc<Feed>> {
        self.by_id.range(id.saturating_add(1)..).take(max).map(|(_, feed)| Arc::clone(feed)).collect()
    }
}
