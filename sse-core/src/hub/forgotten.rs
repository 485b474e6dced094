use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use crate::history::{Pattern, Topic};

/// How many topics are remembered after their last event was evicted.
const CAPACITY: usize = 100_000;

/// Topics of which nothing is kept any more: each with the highest position evicted from it, so that forgetting one
/// does not give the readers of others needless gaps.
#[derive(Debug)]
pub(crate) struct Forgotten {
    by_topic: BTreeMap<Topic, u64>,
    by_position: BTreeSet<(u64, Topic)>,
    /// The highest position that is forgotten altogether: a topic that nobody remembers may have been evicted up to it.
    floor: u64,
    capacity: usize,
}

impl Forgotten {
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

    /// Any topic may have been evicted up to `floor`.
    pub(crate) fn raise(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        self.by_position.clear();
        self.by_topic.clear();
    }

    /// Takes `topic` out, because it is alive again: how far it was evicted.
    pub(crate) fn remove(&mut self, topic: &Topic) -> u64 {
        match self.by_topic.remove(topic) {
            Some(evicted) => {
                self.by_position.remove(&(evicted, topic.clone()));
                evicted
            }
            None => self.floor,
        }
    }

    /// The highest position evicted from any topic that `pattern` stands for, of those that are not alive.
    pub(crate) fn evicted(&self, pattern: &Pattern) -> u64 {
        let prefix = pattern.literal_prefix();
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let candidates =
            self.by_topic.range::<str, _>(from).take_while(|(topic, _)| topic.as_str().starts_with(prefix));
        let remembered = if pattern.is_exact() {
            self.by_topic.get(pattern.as_str()).copied()
        } else {
            candidates.filter(|(topic, _)| pattern.matches(topic)).map(|(_, evicted)| *evicted).max()
        };
        remembered.unwrap_or(self.floor).max(self.floor)
    }

    #[cfg(test)]
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { capacity, ..Self::new(0) }
    }
}
