//! The sizes that a window counts against its limit.

/// The memory that an event takes besides its encoded bytes: its entries in the ring and in the list of all
/// frames, and the headers of its allocations.
pub(crate) const EVENT_COST: usize = 160;

/// The memory that a topic with events takes besides them: its ring, its entry among all topics, and the headers
/// of its allocations.
pub(crate) const TOPIC_COST: usize = 512;

/// The contents of rings, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The number of topics with events.
    pub(crate) topics: usize,
    pub(crate) frames: usize,
    /// The encoded bytes.
    pub(crate) bytes: usize,
    /// The bytes of those topics' names.
    pub(crate) names: usize,
}

impl Totals {
    /// Returns the memory that the contents take.
    pub(crate) fn cost(&self) -> usize {
        self.bytes + self.names + self.frames * EVENT_COST + self.topics * TOPIC_COST
    }

    /// Counts a change of a ring.
    pub(crate) fn change(&mut self, before: Self, after: Self) {
        let changed = |total: usize, before: usize, after: usize| (total + after).saturating_sub(before);
        self.topics = changed(self.topics, before.topics, after.topics);
        self.frames = changed(self.frames, before.frames, after.frames);
        self.bytes = changed(self.bytes, before.bytes, after.bytes);
        self.names = changed(self.names, before.names, after.names);
    }
}
