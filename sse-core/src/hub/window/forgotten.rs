use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use crate::history::{Pattern, Topic};
use crate::hub::feeds::wildcards::Wildcards;

/// The number of topics that are remembered after their last event was evicted.
const CAPACITY: usize = 100_000;

/// Topics without any stored events, each with the highest position evicted from it, so that forgetting one
/// topic does not cause needless gaps for readers of others.
#[derive(Debug)]
pub(crate) struct ForgottenTopics {
    by_topic: BTreeMap<Topic, u64>,
    by_position: BTreeSet<(u64, Topic)>,
    /// The highest position forgotten together with its topic: a topic that is not remembered may have been
    /// evicted up to it.
    floor: u64,
    capacity: usize,
}

impl ForgottenTopics {
    pub(crate) fn new(floor: u64) -> Self {
        Self { by_topic: BTreeMap::new(), by_position: BTreeSet::new(), floor, capacity: CAPACITY }
    }

    /// Remembers that `topic` was evicted up to `evicted`. Overflow raises the floor common to all.
    pub(crate) fn insert(&mut self, topic: Topic, evicted: u64) {
        if evicted <= self.floor {
            return;
        }
        self.remove(&topic);
        self.by_position.insert((evicted, topic.clone()));
        self.by_topic.insert(topic, evicted);
        while self.by_topic.len() > self.capacity {
            let Some((evicted, topic)) = self.by_position.pop_first() else { break };
            self.by_topic.remove(&topic);
            self.floor = evicted;
        }
    }

    /// Records that any topic may have been evicted up to `floor`.
    pub(crate) fn raise(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        self.by_position.clear();
        self.by_topic.clear();
    }

    /// Removes `topic`, because it has a ring again; returns the position up to which it was evicted.
    pub(crate) fn remove(&mut self, topic: &Topic) -> u64 {
        match self.by_topic.remove(topic) {
            Some(evicted) => {
                self.by_position.remove(&(evicted, topic.clone()));
                evicted
            }
            None => self.floor,
        }
    }

    /// Returns the position up to which `topic`, which has no ring, was evicted.
    pub(crate) fn position(&self, topic: &Topic) -> u64 {
        self.by_topic.get(topic).copied().unwrap_or(self.floor)
    }

    /// Returns the highest position up to which a topic that is not remembered may have been evicted.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Visits up to `max` topics of a walk; returns the highest position evicted from those that match.
    pub(crate) fn walk(&self, walk: &mut Walk, wildcards: &Wildcards<()>, max: usize) -> u64 {
        let mut highest = 0;
        let mut left = max;
        while let Some(prefix) = walk.prefixes.last() {
            let from = match &walk.after {
                Some(after) => Bound::Excluded(after.as_str()),
                None => Bound::Included(prefix.as_str()),
            };
            let topics = self.by_topic.range::<str, _>((from, Bound::Unbounded));
            let mut seen = None;
            for (topic, evicted) in
                topics.take_while(|(topic, _)| topic.as_str().starts_with(prefix)).take(left)
            {
                left -= 1;
                seen = Some(topic);
                if *evicted > highest && wildcards.matches(topic) {
                    highest = *evicted;
                }
            }
            if left == 0 {
                walk.after = seen.cloned().or(walk.after.take());
                return highest;
            }
            walk.prefixes.pop();
            walk.after = None;
        }
        highest
    }

    /// The records at `fork` and after it were replaced: they no longer count as evicted.
    pub(crate) fn truncate(&mut self, fork: u64) {
        let last = fork.saturating_sub(1);
        self.floor = self.floor.min(last);
        while self.by_position.last().is_some_and(|(evicted, _)| *evicted >= fork) {
            let Some((_, topic)) = self.by_position.pop_last() else { return };
            self.by_topic.remove(&topic);
            self.insert(topic, last);
        }
    }

    #[cfg(test)]
    pub(crate) fn evicted(&self, pattern: &Pattern) -> u64 {
        let remembered = if pattern.is_exact() {
            self.by_topic.get(pattern.as_str()).copied().unwrap_or(0)
        } else {
            let mut wildcards = Wildcards::default();
            wildcards.insert(pattern, ());
            let mut walk = Walk::new(std::slice::from_ref(pattern));
            let mut highest = 0;
            while !walk.is_over() {
                highest = self.walk(&mut walk, &wildcards, 1).max(highest);
            }
            highest
        };
        remembered.max(self.floor)
    }

    #[cfg(test)]
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { capacity, ..Self::new(0) }
    }
}

/// The progress of a walk over the forgotten topics that wildcards may match.
pub(crate) struct Walk {
    /// The prefixes of the topics; none of these begins with another, so each topic is visited once.
    prefixes: Vec<String>,
    /// The topic visited last, among those that begin with the last prefix.
    after: Option<Topic>,
}

impl Walk {
    /// Starts a walk for the patterns that have wildcards.
    pub(crate) fn new(patterns: &[Pattern]) -> Self {
        let wild = patterns.iter().filter(|pattern| !pattern.is_exact());
        let mut all: Vec<&str> = wild.map(Pattern::literal_prefix).collect();
        all.sort_unstable();
        let mut prefixes: Vec<String> = Vec::new();
        for prefix in all {
            if prefixes.last().is_none_or(|kept| !prefix.starts_with(kept.as_str())) {
                prefixes.push(prefix.to_owned());
            }
        }
        Self { prefixes, after: None }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.prefixes.is_empty()
    }
}
