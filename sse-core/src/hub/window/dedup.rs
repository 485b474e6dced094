use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::resume::Cursor;

/// How long a hub without history remembers a key.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// The number of keys that a hub without history remembers.
const CAPACITY: usize = 100_000;

/// The maximum bytes of these keys and the names of their topics.
const CAPACITY_BYTES: usize = 64 << 20;

/// The keys of recent publishes, each with its topics.
#[derive(Debug, Default)]
pub(crate) struct RecentKeys {
    places: HashMap<Arc<str>, Cursor>,
    order: VecDeque<(Instant, Arc<str>)>,
    bytes: usize,
}

impl RecentKeys {
    /// Returns the cursor of the event with this key, if the key is remembered.
    pub(crate) fn find(&mut self, scoped: &str, now: Instant) -> Option<Cursor> {
        while let Some((at, _)) = self.order.front()
            && (now.saturating_duration_since(*at) > WINDOW
                || self.order.len() > CAPACITY
                || self.bytes > CAPACITY_BYTES)
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.bytes -= old.len();
                self.places.remove(&old);
            }
        }
        self.places.get(scoped).copied()
    }

    pub(crate) fn insert(&mut self, scoped: String, place: Cursor, now: Instant) {
        let scoped: Arc<str> = scoped.into();
        self.bytes += scoped.len();
        self.places.insert(Arc::clone(&scoped), place);
        self.order.push_back((now, scoped));
    }

    /// Forgets the keys of events at `fork` and after it, which were replaced.
    pub(crate) fn truncate(&mut self, fork: u64) {
        let Self { places, order, bytes } = self;
        places.retain(|_, place| place.seq() < fork);
        order.retain(|(_, scoped)| places.contains_key(scoped));
        *bytes = order.iter().map(|(_, scoped)| scoped.len()).sum();
    }
}
