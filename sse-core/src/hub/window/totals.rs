//! What a window counts against its limit.

/// What an event takes in memory besides its encoded bytes: its place in the ring and in the list of all, and the
/// headers of its allocations.
pub(crate) const EVENT_COST: usize = 160;

/// What a topic with events takes besides them: its ring, its place among all topics, and the headers of its allocations.
pub(crate) const TOPIC_COST: usize = 512;

/// What rings hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The topics with events.
    pub(crate) topics: usize,
    pub(crate) frames: usize,
    /// The encoded bytes.
    pub(crate) bytes: usize,
    /// The bytes of those topics' names.
    pub(crate) names: usize,
}

impl Totals {
    /// What it takes in memory.
    pub(crate) fn cost(&self) -> usize {
        self.bytes + self.names + self.frames * EVENT_COST + self.topics * TOPIC_COST
    }

    /// Counts that a ring changed.
    pub(crate) fn change(&mut self, before: Self, after: Self) {
        let changed = |total: usize, before: usize, after: usize| (total + after).saturating_sub(before);
        self.topics = changed(self.topics, before.topics, after.topics);
        self.frames = changed(self.frames, before.frames, after.frames);
        self.bytes = changed(self.bytes, before.bytes, after.bytes);
        self.names = changed(self.names, before.names, after.names);
    }
}
