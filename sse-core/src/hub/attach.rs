use std::sync::Arc;

use tokio::time::Instant;

use super::{
    feed::{Feed, FeedInner},
    reader::Reader,
    ring::TopicRing,
    state::State,
    subscription::short,
    window::Window,
};
use crate::{
    history::{Pattern, Topic},
    resume::{Cursor, Epochs},
};

/// A new reader of a feed.
pub(crate) struct Attached {
    pub(crate) feed: Arc<Feed>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) last_signal: u64,
    pub(crate) view: View,
}

/// What the window knows at one moment of what a feed reads, taken under the window's lock: positions of one view belong
/// to the same epoch table.
pub(crate) struct View {
    pub(crate) head: u64,
    /// How many rows the epoch table has.
    pub(crate) version: u32,
    /// The highest position evicted from what was asked for.
    pub(crate) evicted: u64,
    pub(crate) epochs: Epochs,
    /// Whether it is certain which of the topics are finished.
    pub(crate) is_known: bool,
}

impl View {
    fn new(state: &State, feed: &Feed, inner: &FeedInner) -> Self {
        let wild = feed.patterns.iter().filter(|pattern| !pattern.is_exact());
        let forgotten = wild.map(|pattern| state.forgotten.evicted(pattern)).max().unwrap_or(0);
        Self {
            head: state.head,
            version: short(state.epochs.rows().len()),
            evicted: inner.evicted().max(forgotten),
            epochs: state.epochs.clone(),
            is_known: inner.rings.iter().all(|ring| ring.lock().is_known),
        }
    }

    /// Whether the window alone knows that nothing asked for was evicted after the cursor.
    pub(crate) fn proves(&self, cursor: Cursor) -> bool {
        let is_known = self.epochs.fork_after(cursor.epoch()).is_some();
        is_known && cursor.seq() <= self.head && cursor.seq() >= self.evicted
    }
}

impl Window {
    /// How many readers would get an event of these topics now.
    pub(crate) fn readers_of(&self, topics: &[Topic]) -> usize {
        self.lock().feeds_of(topics).iter().map(|feed| feed.lock().readers.len()).sum()
    }

    /// Registers a reader of these patterns, which are sorted and each once, at the head.
    ///
    /// Under the same lock as the search for its feed, which another reader may be about to leave as its last.
    pub(crate) fn attach(&self, patterns: Box<[Pattern]>, reader: Arc<Reader>) -> Attached {
        let mut state = self.lock();
        let feed = match state.feeds.get(&patterns) {
            Some(feed) => Arc::clone(feed),
            None => self.new_feed(&mut state, patterns),
        };
        let (view, last_signal) = {
            let mut inner = feed.lock();
            inner.add_reader(Arc::clone(&reader));
            (View::new(&state, &feed, &inner), inner.last_signal())
        };
        Attached { feed, reader, last_signal, view }
    }

    /// What is known of what a feed reads now.
    pub(crate) fn view(&self, feed: &Feed) -> View {
        let state = self.lock();
        View::new(&state, feed, &feed.lock())
    }

    /// Forgets the feed if nobody reads it any more.
    pub(crate) fn detach(&self, feed: &Arc<Feed>) {
        let mut state = self.lock();
        let rings = {
            let inner = feed.lock();
            if !inner.readers.is_empty() {
                return;
            }
            inner.rings.clone()
        };
        if state.feeds.get(&feed.patterns).is_none_or(|kept| !Arc::ptr_eq(kept, feed)) {
            return;
        }
        state.feeds.remove(&feed.patterns);
        let now = Instant::now();
        for ring in rings {
            ring.lock().feeds.retain(|kept| !Arc::ptr_eq(kept, feed));
            state.forget_if_idle(&ring, now);
        }
    }

    /// The readers' feeds, to be looked through without the window's lock.
    pub(crate) fn feeds(&self) -> Vec<Arc<Feed>> {
        self.lock().feeds.values().cloned().collect()
    }

    fn new_feed(&self, state: &mut State, patterns: Box<[Pattern]>) -> Arc<Feed> {
        let mut rings: Vec<Arc<TopicRing>> = Vec::new();
        for pattern in &patterns {
            if let Ok(topic) = pattern.clone().into_topic() {
                rings.push(self.ring(state, &topic));
            }
        }
        if patterns.iter().any(|pattern| !pattern.is_exact()) {
            let wild =
                |topic: &Topic| patterns.iter().any(|pattern| !pattern.is_exact() && pattern.matches(topic));
            for (topic, ring) in &state.topics {
                if wild(topic) && !rings.iter().any(|known| Arc::ptr_eq(known, ring)) {
                    rings.push(Arc::clone(ring));
                }
            }
        }
        let feed =
            Arc::new(Feed::new(patterns.clone(), rings.clone(), state.head, state.epochs.rows().len()));
        for ring in rings {
            ring.lock().feeds.push(Arc::clone(&feed));
        }
        state.feeds.insert(patterns, Arc::clone(&feed));
        feed
    }
}
