//! How a reader joins its feed, and leaves it.
//!
//! A feed with wildcards reads every topic that matches, and there may be very many. So the search for them runs
//! in steps, each under the window's lock for a short time, and other threads get the lock in between. The
//! search misses no topic. The feed is registered first, so a topic that appears later is added when it appears.
//! A topic that already exists is either found by the search or forgotten before it, and the walk over the
//! forgotten topics comes last. A topic cannot be forgotten once a feed reads it.

use std::sync::Arc;

use tokio::time::Instant;

use super::{forgotten::Walk, ring::TopicRing, state::State, window::Window};
use crate::hub::{
    feeds::feed::{Feed, FeedInner},
    feeds::wildcards::Wildcards,
    readers::reader::Reader,
    subscription::subscription::short,
};
use crate::{
    history::{Pattern, Topic},
    resume::{Cursor, EpochTable},
};

/// The number of topics visited under one hold of the window's lock.
pub(in crate::hub) const TOPICS_AT_ONCE: usize = 1_024;

/// A new reader of a feed.
pub(crate) struct Attachment {
    pub(crate) feed: Arc<Feed>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) last_signal: u64,
    pub(crate) view: View,
}

/// What the window knows at one moment about a feed's topics: positions of one view belong to the same epoch
/// table.
pub(crate) struct View {
    pub(crate) head: u64,
    /// The number of rows of the epoch table.
    pub(crate) version: u32,
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
struct Survey {
    /// The number of rows of the epoch table when the search began.
    version: usize,
    wildcards: Wildcards<()>,
    forgotten: Walk,
    /// The number of the feed's rings that were visited.
    surveyed: usize,
    evicted: u64,
    /// The number of topics that each step visits.
    at_once: usize,
}

/// A reader that has its feed, while the search for the evicted position of its topics runs.
pub(in crate::hub) struct Attaching<'a> {
    window: &'a Window,
    pub(in crate::hub) feed: Arc<Feed>,
    reader: Arc<Reader>,
    survey: Survey,
    is_attached: bool,
}

impl Window {
    /// Returns how many readers would get an event of these topics now.
    pub(crate) fn readers_of(&self, topics: &[Topic]) -> usize {
        let feeds = self.lock().feeds_of(topics);
        feeds.iter().map(|feed| feed.lock().readers.len()).sum()
    }

    /// Registers a reader of these patterns, which are sorted and without duplicates, at the head. Other tasks
    /// run in between if the search is long.
    pub(crate) async fn attach_in_steps(&self, patterns: Box<[Pattern]>, reader: Arc<Reader>) -> Attachment {
        let mut attaching = Attaching::begin(self, patterns, reader);
        loop {
            if let Some(attached) = attaching.step() {
                return attached;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The same without pauses.
    pub(crate) fn attach(&self, patterns: Box<[Pattern]>, reader: Arc<Reader>) -> Attachment {
        let mut attaching = Attaching::begin(self, patterns, reader);
        loop {
            if let Some(attached) = attaching.step() {
                return attached;
            }
        }
    }

    /// Returns what a reader of these patterns would need to know, without creating a reader, a feed or a topic.
    ///
    /// Topics that only wildcards match are not searched for: a probe is answered at once, and results that need
    /// a search may be left out of its answer (RFC 9110 section 9.3.2).
    pub(crate) fn peek(&self, patterns: Box<[Pattern]>, reader: Arc<Reader>) -> Attachment {
        let state = self.lock();
        let feed = match state.feeds.get(&patterns) {
            Some(feed) => Arc::clone(feed),
            None => {
                let topics = patterns.iter().filter_map(|pattern| pattern.clone().into_topic().ok());
                let rings = topics.map(|topic| self.ring_or_new(&state, topic)).collect();
                Arc::new(Feed::new(0, patterns, rings, state.head, state.epochs.rows().len()))
            }
        };
        let floor = if feed.is_exact { 0 } else { state.forgotten.floor() };
        let inner = feed.lock();
        let is_known = feed.is_exact && inner.rings.iter().all(|ring| ring.lock().is_known);
        let rings = inner.rings.iter().take(TOPICS_AT_ONCE);
        let evicted = rings.fold(floor, |evicted, ring| evicted.max(ring.lock().evicted));
        let version = short(state.epochs.rows().len());
        let view = View { head: state.head, version, evicted, epochs: state.epochs.clone(), is_known };
        let last_signal = inner.last_signal();
        drop(inner);
        Attachment { feed, reader, last_signal, view }
    }

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

    /// Removes the feed if it has no readers.
    pub(crate) fn detach(&self, feed: &Arc<Feed>) {
        let rings = self.unregister(feed).unwrap_or_default();
        for rings in rings.chunks(TOPICS_AT_ONCE / 4) {
            self.let_go(feed, rings);
        }
    }

    /// Unregisters a feed without readers, so that new readers do not find it; returns the rings that it must
    /// leave.
    pub(in crate::hub) fn unregister(&self, feed: &Arc<Feed>) -> Option<Vec<Arc<TopicRing>>> {
        let mut state = self.lock();
        let mut inner = feed.lock();
        if !inner.readers.is_empty() || !state.remove_feed(feed) {
            return None;
        }
        inner.next_place = None;
        Some(std::mem::take(&mut inner.rings))
    }

    /// Removes an unregistered feed from some of its rings.
    pub(in crate::hub) fn let_go(&self, feed: &Feed, rings: &[Arc<TopicRing>]) {
        let now = Instant::now();
        let mut state = self.lock_in_turn();
        for ring in rings {
            ring.lock().remove_feed(feed);
            state.forget_if_idle(ring, now);
        }
    }

    /// Returns the feeds with readers, to visit without the window's lock, which is taken now and then for the
    /// next ones.
    pub(crate) fn feeds(&self) -> impl Iterator<Item = Arc<Feed>> {
        const FEEDS_AT_ONCE: usize = 256;
        let mut last = Some(0);
        let mut next = Vec::new().into_iter();
        std::iter::from_fn(move || {
            if next.len() == 0 {
                let feeds = self.lock().feeds.after(last?, FEEDS_AT_ONCE);
                last = feeds.last().map(|feed| feed.id);
                next = feeds.into_iter();
            }
            next.next()
        })
    }

    /// Returns the ring of a topic, or an unregistered one that readers and publishers do not find.
    fn ring_or_new(&self, state: &State, topic: Topic) -> Arc<TopicRing> {
        state.topics.get(&topic).map_or_else(
            || {
                let evicted = state.forgotten.position(&topic);
                Arc::new(self.new_ring(topic, 0, evicted))
            },
            Arc::clone,
        )
    }

    fn new_feed(&self, state: &mut State, patterns: Box<[Pattern]>) -> Arc<Feed> {
        let mut rings: Vec<Arc<TopicRing>> = Vec::new();
        for pattern in &patterns {
            if let Ok(topic) = pattern.clone().into_topic() {
                rings.push(self.ring(state, &topic));
            }
        }
        let feed = Arc::new(Feed::new(
            state.feeds.next_id(),
            patterns,
            rings.clone(),
            state.head,
            state.epochs.rows().len(),
        ));
        for ring in rings {
            ring.lock().add_feed(&feed);
        }
        state.add_feed(&feed);
        feed
    }
}

impl<'a> Attaching<'a> {
    /// Adds the reader to its feed, under the same lock as the lookup of the feed: otherwise the feed's last
    /// reader may leave in between.
    pub(in crate::hub) fn begin(window: &'a Window, patterns: Box<[Pattern]>, reader: Arc<Reader>) -> Self {
        Self::begin_in_steps(window, patterns, reader, TOPICS_AT_ONCE)
    }

    pub(in crate::hub) fn begin_in_steps(
        window: &'a Window,
        patterns: Box<[Pattern]>,
        reader: Arc<Reader>,
        at_once: usize,
    ) -> Self {
        let mut survey = Survey::new(&patterns, 0, at_once);
        let feed = {
            let mut state = window.lock();
            let feed = match state.feeds.get(&patterns) {
                Some(feed) => Arc::clone(feed),
                None => window.new_feed(&mut state, patterns),
            };
            feed.lock().add_reader(Arc::clone(&reader));
            survey.version = state.epochs.rows().len();
            feed
        };
        Self { window, feed, reader, survey, is_attached: false }
    }

    /// Runs one short step; returns what the reader needs when the search is complete.
    pub(in crate::hub) fn step(&mut self) -> Option<Attachment> {
        let (view, last_signal) = self.survey.step(self.window, &self.feed)?;
        self.is_attached = true;
        let (feed, reader) = (Arc::clone(&self.feed), Arc::clone(&self.reader));
        Some(Attachment { feed, reader, last_signal, view })
    }
}

impl Survey {
    fn new(patterns: &[Pattern], version: usize, at_once: usize) -> Self {
        let mut wildcards = Wildcards::default();
        for pattern in patterns.iter().filter(|pattern| !pattern.is_exact()) {
            wildcards.insert(pattern, ());
        }
        Self { version, wildcards, forgotten: Walk::new(patterns), surveyed: 0, evicted: 0, at_once }
    }

    /// Runs one short step; returns what is known about the feed, and its last signal, when all topics were
    /// visited.
    fn step(&mut self, window: &Window, feed: &Arc<Feed>) -> Option<(View, u64)> {
        let state = window.lock_in_turn();
        let mut inner = feed.lock();
        if self.version != state.epochs.rows().len() {
            // The evicted records may have been replaced by a fork since.
            self.version = state.epochs.rows().len();
            self.forgotten = Walk::new(&feed.patterns);
            (self.surveyed, self.evicted) = (0, 0);
        }
        if let Some(place) = inner.next_place {
            self.search(&state, feed, &mut inner, place);
            return None;
        }
        let rings = inner.rings.iter().skip(self.surveyed);
        let (count, evicted) = rings
            .take(self.at_once)
            .fold((0, self.evicted), |(count, evicted), ring| (count + 1, evicted.max(ring.lock().evicted)));
        self.surveyed += count;
        self.evicted = evicted;
        if self.surveyed < inner.rings.len() {
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
            version: short(state.epochs.rows().len()),
            evicted: self.evicted.max(floor),
            epochs: state.epochs.clone(),
            // Only a feed without wildcards can end.
            is_known: feed.is_exact && inner.rings.iter().all(|ring| ring.lock().is_known),
        };
        Some((view, inner.last_signal()))
    }

    /// Adds the feed to matching topics, from index `place` on; the next step, of any of its readers, continues
    /// from there.
    fn search(&self, state: &State, feed: &Arc<Feed>, inner: &mut FeedInner, place: usize) {
        let end = place + self.at_once;
        for ring in (place..end).filter_map(|place| state.topics.at(place)) {
            if self.wildcards.matches(&ring.topic) && ring.lock().add_feed(feed) {
                inner.last = inner.last.max(ring.lock().last_seq());
                inner.rings.push(Arc::clone(ring));
            }
        }
        if end < state.topics.places() {
            inner.next_place = Some(end);
        } else {
            inner.end_search(state.head);
        }
    }
}

impl Drop for Attaching<'_> {
    fn drop(&mut self) {
        if !self.is_attached {
            let is_last = {
                let mut inner = self.feed.lock();
                inner.remove_reader(&self.reader);
                inner.readers.is_empty()
            };
            if is_last {
                self.window.detach(&self.feed);
            }
        }
    }
}
