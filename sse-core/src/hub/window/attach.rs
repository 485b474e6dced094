//! How a reader joins its feed, and leaves it.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    ring::TopicRing,
    state::State,
    survey::{Survey, TOPICS_AT_ONCE, View},
    window::Window,
};
use crate::history::{Pattern, Topic};
use crate::hub::{feeds::feed::Feed, readers::reader::Reader};

/// A new reader of a feed.
pub(crate) struct Attachment {
    pub(crate) feed: Arc<Feed>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) last_signal: u64,
    pub(crate) view: View,
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
                Arc::new(Feed::new(0, patterns, rings, state.head, state.epochs.version()))
            }
        };
        let floor = if feed.is_exact { 0 } else { state.forgotten.floor() };
        let inner = feed.lock();
        let is_known = feed.is_exact && inner.backlog.rings.iter().all(|ring| ring.lock().is_known);
        let rings = inner.backlog.rings.iter().take(TOPICS_AT_ONCE);
        let evicted = rings.fold(floor, |evicted, ring| evicted.max(ring.lock().evicted));
        let version = state.epochs.version();
        let view = View { head: state.head, version, evicted, epochs: state.epochs.clone(), is_known };
        let last_signal = inner.backlog.last_signal();
        drop(inner);
        Attachment { feed, reader, last_signal, view }
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
        Some(std::mem::take(&mut inner.backlog.rings))
    }

    /// Removes an unregistered feed from some of its rings.
    pub(in crate::hub) fn let_go(&self, feed: &Feed, rings: &[Arc<TopicRing>]) {
        let now = Instant::now();
        let mut state = self.lock_in_turn();
        for ring in rings {
            if state.topics.holds(ring) {
                state.topic_feeds.remove(ring, feed);
                state.forget_if_idle(ring, now);
            }
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
            state.epochs.version(),
        ));
        for ring in rings {
            state.topic_feeds.add(&ring, &feed);
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
        let (feed, version) = {
            let mut state = window.lock();
            let feed = match state.feeds.get(&patterns) {
                Some(feed) => Arc::clone(feed),
                None => window.new_feed(&mut state, patterns),
            };
            feed.lock().add_reader(Arc::clone(&reader));
            (feed, state.epochs.version())
        };
        let survey = Survey::new(&feed.patterns, version, at_once);
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
