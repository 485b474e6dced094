use std::sync::Arc;

use tokio::time::Instant;

use super::{feed::Feed, reader::Reader, ring::TopicRing, state::State, window::Window};
use crate::{
    history::{Pattern, Topic},
    resume::{Cursor, Epochs},
};

/// What a new reader of a feed needs to know, taken in one locked look.
pub(crate) struct Attached {
    pub(crate) feed: Arc<Feed>,
    pub(crate) head: u64,
    pub(crate) version: usize,
    /// The highest position evicted from what was asked for.
    pub(crate) evicted: u64,
    pub(crate) epochs: Epochs,
    /// Whether it is certain which of the topics are finished.
    pub(crate) is_known: bool,
    pub(crate) last_signal: u64,
    pub(crate) reader: Arc<Reader>,
}

impl Attached {
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
        feed.lock().add_reader(Arc::clone(&reader));
        attached(&state, feed, reader)
    }

    /// What a reader of these patterns would need to know, without a reader, a feed or a topic coming into being.
    pub(crate) fn peek(&self, patterns: Box<[Pattern]>, reader: Arc<Reader>) -> Attached {
        let state = self.lock();
        let feed = match state.feeds.get(&patterns) {
            Some(feed) => Arc::clone(feed),
            None => {
                let rings = patterns.iter().flat_map(|pattern| self.rings_for(&state, pattern)).collect();
                Arc::new(Feed::new(patterns, rings, state.head))
            }
        };
        attached(&state, feed, reader)
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

    /// The rings of a pattern's topics. A topic that is not there gets a ring that nobody else sees.
    fn rings_for(&self, state: &State, pattern: &Pattern) -> Vec<Arc<TopicRing>> {
        match pattern.clone().into_topic() {
            Ok(topic) => match state.topics.get(&topic) {
                Some(ring) => vec![Arc::clone(ring)],
                None => vec![self.new_ring(topic, state.forgotten.evicted(pattern))],
            },
            Err(_) => {
                let matching = state.topics.iter().filter(|(topic, _)| pattern.matches(topic));
                matching.map(|(_, ring)| Arc::clone(ring)).collect()
            }
        }
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
        let feed = Arc::new(Feed::new(patterns.clone(), rings.clone(), state.head));
        for ring in rings {
            ring.lock().feeds.push(Arc::clone(&feed));
        }
        state.feeds.insert(patterns, Arc::clone(&feed));
        feed
    }
}

/// What is known of a feed under the window's lock.
fn attached(state: &State, feed: Arc<Feed>, reader: Arc<Reader>) -> Attached {
    let (alive, is_known, last_signal) = {
        let inner = feed.lock();
        (inner.evicted(), inner.rings.iter().all(|ring| ring.lock().is_known), inner.last_signal())
    };
    let wild = feed.patterns.iter().filter(|pattern| !pattern.is_exact());
    let forgotten = wild.map(|pattern| state.forgotten.evicted(pattern)).max().unwrap_or(0);
    Attached {
        head: state.head,
        version: state.epochs.rows().len(),
        evicted: alive.max(forgotten),
        epochs: state.epochs.clone(),
        is_known,
        last_signal,
        reader,
        feed,
    }
}
