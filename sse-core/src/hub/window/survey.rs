//! What the window knows about the topics of a feed, and the search for it.
//!
//! A feed with wildcards reads every topic that matches, and there may be very many. So the search for them runs
//! in steps, each under the window's lock for a short time, and other threads get the lock in between. The
//! search misses no topic. The feed is registered first, so a topic that appears later is added when it appears.
//! A topic that already exists is either found by the search or forgotten before it, and the walk over the
//! forgotten topics comes last. A topic cannot be forgotten once a feed reads it.

use std::sync::Arc;

use super::{forgotten::Walk, state::State, window::Window};
use crate::hub::{
    feeds::feed::{Feed, FeedInner},
    feeds::wildcards::Wildcards,
};
use crate::{
    history::Pattern,
    resume::{Cursor, EpochTable, EpochsVersion},
};

/// The number of topics visited under one hold of the window's lock.
pub(in crate::hub) const TOPICS_AT_ONCE: usize = 1_024;

/// What the window knows at one moment about a feed's topics: positions of one view belong to the same epoch
/// table.
pub(crate) struct View {
    pub(crate) head: u64,
    pub(crate) version: EpochsVersion,
    /// The highest position evicted from the requested topics.
    pub(crate) evicted: u64,
    pub(crate) epochs: EpochTable,
    /// Whether it is certain which of the topics are finished.
    pub(crate) is_known: bool,
}

impl View {
    /// Returns whether the window alone proves that no requested event after the cursor was evicted.
    pub(crate) fn proves(&self, cursor: Cursor) -> bool {
        let is_known = self.epochs.fork_after(cursor.epoch()).is_some();
        is_known && cursor.seq() <= self.head && cursor.seq() >= self.evicted
    }
}

/// A search, in steps, for the position up to which the topics of a feed were evicted.
pub(in crate::hub) struct Survey {
    /// The version of the epoch table when the search began.
    version: EpochsVersion,
    wildcards: Wildcards<()>,
    forgotten: Walk,
    /// The number of the feed's rings that were visited.
    surveyed: usize,
    evicted: u64,
    /// The number of topics that each step visits.
    at_once: usize,
}

impl Window {
    /// Returns what is known now about a feed's topics. Other tasks run in between if the search is long.
    pub(crate) async fn view_in_steps(&self, feed: &Arc<Feed>) -> View {
        let mut survey = Survey::new(&feed.patterns, self.version(), TOPICS_AT_ONCE);
        loop {
            if let Some((view, _)) = survey.step(self, feed) {
                return view;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The same without pauses.
    pub(crate) fn view(&self, feed: &Arc<Feed>) -> View {
        let mut survey = Survey::new(&feed.patterns, self.version(), TOPICS_AT_ONCE);
        loop {
            if let Some((view, _)) = survey.step(self, feed) {
                return view;
            }
        }
    }
}

impl Survey {
    pub(in crate::hub) fn new(patterns: &[Pattern], version: EpochsVersion, at_once: usize) -> Self {
        let mut wildcards = Wildcards::default();
        for pattern in patterns.iter().filter(|pattern| !pattern.is_exact()) {
            wildcards.insert(pattern, ());
        }
        Self { version, wildcards, forgotten: Walk::new(patterns), surveyed: 0, evicted: 0, at_once }
    }

    /// Runs one short step; returns what is known about the feed, and its last signal, when all topics were
    /// visited.
    pub(in crate::hub) fn step(&mut self, window: &Window, feed: &Arc<Feed>) -> Option<(View, u64)> {
        let mut state = window.lock_in_turn();
        let mut inner = feed.lock();
        if self.version != state.epochs.version() {
            // The evicted records may have been replaced by a fork since.
            self.version = state.epochs.version();
            self.forgotten = Walk::new(&feed.patterns);
            (self.surveyed, self.evicted) = (0, 0);
        }
        if let Some(place) = inner.next_place {
            self.search(&mut state, feed, &mut inner, place);
            return None;
        }
        let rings = inner.backlog.rings.iter().skip(self.surveyed);
        let (count, evicted) = rings
            .take(self.at_once)
            .fold((0, self.evicted), |(count, evicted), ring| (count + 1, evicted.max(ring.lock().evicted)));
        self.surveyed += count;
        self.evicted = evicted;
        if self.surveyed < inner.backlog.rings.len() {
            return None;
        }
        if !self.forgotten.is_over() {
            let evicted = state.forgotten.walk(&mut self.forgotten, &self.wildcards, self.at_once);
            self.evicted = self.evicted.max(evicted);
            if !self.forgotten.is_over() {
                return None;
            }
        }
        let floor = if feed.is_exact { 0 } else { state.forgotten.floor() };
        let view = View {
            head: state.head,
            version: state.epochs.version(),
            evicted: self.evicted.max(floor),
            epochs: state.epochs.clone(),
            // Only a feed without wildcards can end.
            is_known: feed.is_exact && inner.backlog.rings.iter().all(|ring| ring.lock().is_known),
        };
        Some((view, inner.backlog.last_signal()))
    }

    /// Adds the feed to matching topics, from index `place` on; the next step, of any of its readers, continues
    /// from there.
    fn search(&self, state: &mut State, feed: &Arc<Feed>, inner: &mut FeedInner, place: usize) {
        let end = place + self.at_once;
        for ring in (place..end).filter_map(|place| state.topics.at(place)) {
            if self.wildcards.matches(&ring.topic) && state.topic_feeds.add(ring, feed) {
                inner.backlog.last = inner.backlog.last.max(ring.lock().last_seq());
                inner.backlog.rings.push(Arc::clone(ring));
            }
        }
        if end < state.topics.places() {
            inner.next_place = Some(end);
        } else {
            inner.end_search(state.head);
        }
    }
}
