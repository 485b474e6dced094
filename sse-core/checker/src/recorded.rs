use std::hash::{DefaultHasher, Hash, Hasher};

use sse_core::{
    Cursor,
    history::{Epoch, EpochRow},
};

/// Everything that a run recorded, and the only input of [`judge`](super::judge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Every event that a publisher tried to publish, whether it succeeded or not.
    pub published: Vec<Published>,
    /// What each reader received, over all its connections.
    pub readers: Vec<Reader>,
    /// What the engine held at the end.
    pub kept: Kept,
    /// Whether the faults included one that may lose acknowledged events.
    pub may_lose: bool,
}

/// An event that a publisher tried to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The name of the event in messages.
    pub name: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The topics of the event.
    pub topics: Vec<String>,
    /// The id, if the event was acknowledged.
    pub acked: Option<Cursor>,
}

/// What one reader asked for and received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The name of the reader in messages.
    pub name: String,
    /// The topics of the reader; wildcards are resolved.
    pub topics: Vec<String>,
    /// What the reader received, in order, starting before the first record.
    pub steps: Vec<Step>,
    /// Whether the reader got the event that was published last.
    pub has_reached_end: bool,
}

/// One item that a reader received.
#[allow(missing_docs, reason = "each variant says what its fields are")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An event.
    Event { id: Cursor, digest: Digest },
    /// `sse.gap`: the stream continues after this id.
    Gap { id: Cursor, is_trimmed: bool },
    /// `sse.checkpoint`.
    Checkpoint { id: Cursor },
    /// An answer that is not a stream.
    Refused { status: u16 },
    /// Something that a hub never sends: an id that is not a cursor, or a block that cannot be decoded.
    Garbled,
}

/// What the engine held at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Every record.
    pub records: Vec<(Cursor, Digest)>,
    /// The first position that could be read.
    pub oldest: u64,
    /// The table of epochs.
    pub epochs: Vec<EpochRow>,
}

/// The hash of an event's data: equal data have equal hashes in every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(u64);

impl Digest {
    /// The digest of these data.
    #[must_use]
    pub fn of(data: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Kept {
    /// The index of an epoch in the table, and the position from which a later one has replaced it.
    pub(super) fn epoch(&self, epoch: Epoch) -> Option<(usize, Option<u64>)> {
        let place = self.epochs.iter().position(|row| row.epoch == epoch)?;
        let later = self.epochs.iter().skip(place + 1);
        Some((place, later.map(|row| row.begins).min()))
    }

    /// Whether the position was never replaced, as far as the table shows.
    pub(super) fn stands(&self, cursor: Cursor) -> bool {
        self.epoch(cursor.epoch()).is_some_and(|(_, fork)| fork.is_none_or(|fork| cursor.seq() < fork))
    }
}
