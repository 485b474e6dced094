use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    dedup::RecentKeys,
    forgotten::ForgottenTopics,
    order::Order,
    ring::{Ring, TopicRing},
    topic_feeds::TopicFeeds,
    topics::Topics,
    totals::Totals,
};
use crate::hub::{control_events, feeds::feed::Feed, feeds::feeds::Feeds, feeds::wildcards::Wildcards};
use crate::{
    history::Topic,
    resume::{Cursor, EpochTable},
    waiters::Waiters,
    wire::MAX_RETRY,
};

/// How long a finished topic is remembered: longer than any reader waits before it reconnects.
const FINISH_MEMORY: Duration = Duration::from_secs(2 * MAX_RETRY.as_secs());

/// The contents of the window, behind its lock.
pub(crate) struct State {
    pub(crate) epochs: EpochTable,
    pub(in crate::hub) head: u64,
    /// The check of the record at the head, where the history needs one.
    pub(in crate::hub) head_check: Option<u32>,
    pub(in crate::hub) topics: Topics,
    pub(in crate::hub) topic_feeds: TopicFeeds,
    pub(crate) forgotten: ForgottenTopics,
    pub(in crate::hub) order: Order,
    pub(in crate::hub) totals: Totals,
    pub(in crate::hub) feeds: Feeds,
    /// The feeds with wildcards, under each of them.
    pub(in crate::hub) wildcards: Wildcards<Arc<Feed>>,
    pub(in crate::hub) keys: RecentKeys,
    pub(in crate::hub) head_waiters: Waiters,
}

impl State {
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn bytes(&self) -> usize {
        self.totals.bytes
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Returns the cursor for "everything up to `seq`", with the record's check if this window knows it.
    pub(crate) fn cursor_at(&self, seq: u64) -> Cursor {
        let cursor = self.epochs.cursor(seq);
        match self.head_check.filter(|_| seq == self.head) {
            Some(check) => cursor.with_checksum(check),
            None => self
                .kept_cursor(seq)
                .and_then(Cursor::checksum)
                .map_or(cursor, |check| cursor.with_checksum(check)),
        }
    }

    /// Returns the cursor of the frame at `seq`, if the window still holds it.
    pub(crate) fn kept_cursor(&self, seq: u64) -> Option<Cursor> {
        // A frame of several topics is listed for each; some of them may have evicted it.
        self.order.at(seq).find_map(|ring| {
            let ring = ring.lock();
            let kept = ring.after(seq.saturating_sub(1)).next().filter(|kept| kept.seq == seq)?;
            control_events::cursor_of(&kept.frame)
        })
    }

    #[cfg(test)]
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<TopicRing>> {
        self.topics.values()
    }

    /// Returns the feeds that read any of these topics, without duplicates.
    pub(crate) fn feeds_of(&self, topics: &[Topic]) -> Vec<Arc<Feed>> {
        let mut feeds: Vec<Arc<Feed>> = Vec::new();
        for topic in topics {
            match self.topics.get(topic) {
                Some(ring) => feeds.extend(self.topic_feeds.of(ring).iter().cloned()),
                // A topic without a ring has no exact reader, but wildcards may match it.
                None => self.wildcards.for_each(topic, |feed| feeds.push(Arc::clone(feed))),
            }
        }
        feeds.sort_unstable_by_key(|feed| feed.id);
        feeds.dedup_by_key(|feed| feed.id);
        feeds
    }

    /// Registers a feed of these patterns, without its rings.
    pub(in crate::hub) fn add_feed(&mut self, feed: &Arc<Feed>) {
        for pattern in feed.wildcards() {
            self.wildcards.insert(pattern, Arc::clone(feed));
        }
        self.feeds.insert(feed);
    }

    /// Removes `feed`, if it is the current feed of its patterns; returns whether it was.
    pub(in crate::hub) fn remove_feed(&mut self, feed: &Arc<Feed>) -> bool {
        let is_current = self.feeds.remove(feed);
        if is_current {
            for pattern in feed.wildcards() {
                self.wildcards.remove(pattern, |known| Arc::ptr_eq(known, feed));
            }
        }
        is_current
    }

    /// Changes a ring and updates the totals.
    pub(in crate::hub) fn change<T>(
        &mut self,
        topic_ring: &TopicRing,
        change: impl FnOnce(&mut Ring) -> T,
    ) -> T {
        let mut ring = topic_ring.lock();
        let before = topic_ring.totals(&ring);
        let changed = change(&mut ring);
        self.totals.change(before, topic_ring.totals(&ring));
        changed
    }

    /// Forgets the topic of `ring` although wildcards match it, if all their readers have taken everything; its
    /// next event adds it to their feeds again. Returns how many feeds were visited.
    pub(in crate::hub) fn forget_behind_wildcards(&mut self, ring: &Arc<TopicRing>, now: Instant) -> usize {
        if !self.topics.holds(ring) || !ring.lock().is_quiet(now, FINISH_MEMORY) {
            return 0;
        }
        let feeds = self.topic_feeds.of(ring).to_vec();
        if feeds.is_empty() {
            return 0;
        }
        if feeds.iter().all(|feed| !feed.names(&ring.topic) && feed.lock().is_caught_up()) {
            for feed in &feeds {
                feed.lock().backlog.remove_ring(ring);
            }
            self.topic_feeds.clear(ring);
            self.forget_if_idle(ring, now);
        }
        feeds.len()
    }

    /// Forgets the topic of `ring` if nothing would be lost.
    ///
    /// `ring` may have been found under an earlier hold of the lock. Since then the topic may have got a newer
    /// ring with readers, so only the topic's current ring is removed.
    pub(in crate::hub) fn forget_if_idle(&mut self, ring: &Arc<TopicRing>, now: Instant) {
        if !self.topics.holds(ring) || !self.topic_feeds.of(ring).is_empty() {
            return;
        }
        let (is_quiet, evicted) = {
            let inner = ring.lock();
            (inner.is_quiet(now, FINISH_MEMORY), inner.evicted)
        };
        if is_quiet && self.topics.remove(ring) {
            self.forgotten.insert(ring.topic.clone(), evicted);
        }
    }
}
