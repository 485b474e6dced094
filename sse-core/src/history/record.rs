use bytes::Bytes;

use super::topic::Topic;
use crate::resume::{Cursor, EpochTable};

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// An event of the application.
    Event,
    /// The end of a topic: `sse.end`.
    Finish,
}

/// An entry to store or to signal.
///
/// ```
/// use sse_core::{Topic, history::{Entry, EntryKind}};
///
/// # fn main() -> Result<(), sse_core::error::InvalidTopic> {
/// let entry = Entry::event(vec![Topic::new("prices")?], "data: 1.08\n").with_key("tick-1");
/// assert_eq!(entry.kind, EntryKind::Event);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The topics, sorted and without duplicates; never empty. A finish has one.
    pub topics: Vec<Topic>,
    /// The kind of the entry.
    pub kind: EntryKind,
    /// The encoded fields, without `id` and without the blank line: an engine stores these bytes unchanged.
    pub lines: Bytes,
    /// The publisher's key: the same topics get an event with this key only once.
    pub key: Option<String>,
}

impl Entry {
    /// Makes an event of these topics, which are sorted and without duplicates, and these encoded lines.
    #[must_use]
    pub fn event(topics: Vec<Topic>, lines: impl Into<Bytes>) -> Self {
        Self { topics, kind: EntryKind::Event, lines: lines.into(), key: None }
    }

    /// Makes the end of a topic, with these encoded lines.
    #[must_use]
    pub fn finish(topic: Topic, lines: impl Into<Bytes>) -> Self {
        Self { topics: vec![topic], kind: EntryKind::Finish, lines: lines.into(), key: None }
    }

    /// Returns the same entry with a publisher's key.
    #[must_use]
    pub fn with_key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }
}

/// A stored entry and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The position, in the epoch in which the record was written, with the engine's check if it has one.
    pub cursor: Cursor,
    /// The topics, sorted and without duplicates.
    pub topics: Vec<Topic>,
    /// The kind of the entry.
    pub kind: EntryKind,
    /// The encoded fields, without `id` and without the blank line.
    pub lines: Bytes,
}

impl Record {
    /// Makes a record of what was stored at this position.
    #[must_use]
    pub fn new(cursor: Cursor, topics: Vec<Topic>, kind: EntryKind, lines: impl Into<Bytes>) -> Self {
        Self { cursor, topics, kind, lines: lines.into() }
    }
}

/// The position of an appended entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The position of the entry, or of the first entry with the same key.
    pub cursor: Cursor,
    /// `true` if the key was seen before, so that nothing was stored.
    pub duplicate: bool,
}

impl Appended {
    /// Makes the result of an entry that was stored at this position.
    #[must_use]
    pub fn new(cursor: Cursor) -> Self {
        Self { cursor, duplicate: false }
    }

    /// Makes the result of an entry that was not stored, because this position has the first one with its key.
    #[must_use]
    pub fn duplicate_of(cursor: Cursor) -> Self {
        Self { cursor, duplicate: true }
    }
}

/// The bounds of a history: what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryBounds {
    /// The first position that can be read, or `head + 1` if there is none.
    pub oldest: u64,
    /// The last position, or 0 if there is none.
    pub head: u64,
    /// The table of epochs.
    pub epochs: EpochTable,
    /// The last position of a record with one of the requested topics, stored or trimmed: 0 if there never was
    /// one, `head` if the engine does not know.
    pub last: u64,
    /// The last position below `oldest` of a record with one of the requested topics: their trimmed records end
    /// there. 0 if none was trimmed, `oldest - 1` if the engine does not know.
    pub trimmed: u64,
    /// The requested exact topics whose last record is a finish, with its position.
    pub finished: Vec<(Topic, Cursor)>,
}

impl HistoryBounds {
    /// Makes the bounds of an engine that knows nothing of single topics: `last` is the head, `trimmed` all before
    /// `oldest`, and nothing is finished. Set those fields if the engine knows more.
    #[must_use]
    pub fn new(oldest: u64, head: u64, epochs: EpochTable) -> Self {
        Self { oldest, head, epochs, last: head, trimmed: oldest.saturating_sub(1), finished: Vec::new() }
    }
}

/// A change in a history, as its tail reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TailEvent {
    /// A record became readable; it has the next position.
    Record(Record),
    /// A signal from any process.
    Signal(Entry),
    /// All records before `oldest` were trimmed.
    Trimmed {
        /// The first position that can still be read.
        oldest: u64,
    },
    /// The current table of epochs: sent first, and again after each change. If it names another epoch than before
    /// for a position, the records from that position on were replaced.
    EpochTable(EpochTable),
    /// The engine answers again after an error.
    Recovered,
}

/// The result of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalReceipt {
    /// The number of processes that listen, if the engine knows it.
    pub processes: Option<u64>,
}

impl SignalReceipt {
    /// Makes the result of a signal that this number of processes receive, or `None` if that is not known.
    #[must_use]
    pub fn new(processes: Option<u64>) -> Self {
        Self { processes }
    }
}
