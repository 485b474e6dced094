use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::resume::Cursor;

/// How long a hub without history remembers a key.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// How many keys a hub without history remembers.
const CAPACITY: usize = 100_000;

/// The keys under which something was published, for the same topics.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    places: HashMap<String, Cursor>,
    order: VecDeque<(Instant, String)>,
}

impl Keys {
    /// Where the event with this key stands, if it is remembered.
    pub(crate) fn find(&mut self, scoped: &str, now: Instant) -> Option<Cursor> {
        while let Some((at, _)) = self.order.front()
            && (now.saturating_duration_since(*at) > WINDOW || self.order.len() > CAPACITY)
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.places.remove(&old);
            }
        }
        self.places.get(scoped).copied()
    }

    pub(crate) fn insert(&mut self, scoped: String, place: Cursor, now: Instant) {
        self.places.insert(scoped.clone(), place);
        self.order.push_back((now, scoped));
    }
}
