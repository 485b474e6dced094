use std::hash::{DefaultHasher, Hash, Hasher};

use sse_core::{Cursor, Epoch, EpochRow};

/// Everything that a run left behind, and all that [`judge`](super::judge) looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Every event that was offered, whatever came of it.
    pub published: Vec<Published>,
    /// What each reader was told, over all its connections.
    pub readers: Vec<Reader>,
    /// What the engine held in the end.
    pub kept: Kept,
    /// Whether a fault was among those that may lose what was acknowledged.
    pub may_lose: bool,
}

/// An event that was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What it is called in messages.
    pub name: String,
    /// Its content.
    pub digest: Digest,
    /// Its topics.
    pub topics: Vec<String>,
    /// Its id, if it was acknowledged.
    pub acked: Option<Cursor>,
}

/// What one reader asked for and was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// What it is called in messages.
    pub name: String,
    /// Its topics; wildcards are resolved.
    pub topics: Vec<String>,
    /// What it was told, in order. It begins before the first record.
    pub steps: Vec<Step>,
    /// Whether it got the event that was published last.
    pub has_reached_end: bool,
}

/// Something that a reader was told.
#[allow(missing_docs, reason = "each variant says what its fields are")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An event.
    Event { id: Cursor, digest: Digest },
    /// `sse.gap`: it goes on after this id.
    Gap { id: Cursor, is_trimmed: bool },
    /// `sse.checkpoint`.
    Checkpoint { id: Cursor },
    /// An answer that is not a stream.
    Refused { status: u16 },
    /// Something that no hub says: an id that is no cursor, or a block that cannot be decoded.
    Garbled,
}

/// What the engine held in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Every record.
    pub records: Vec<(Cursor, Digest)>,
    /// The first position that could be read.
    pub oldest: u64,
    /// The table of epochs.
    pub epochs: Vec<EpochRow>,
}

/// The hash of an event's data: equal data have equal ones, in every process.
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
    /// The place of an epoch in the table, and the position from which on a later one has replaced it.
    pub(super) fn epoch(&self, epoch: Epoch) -> Option<(usize, Option<u64>)> {
        let place = self.epochs.iter().position(|row| row.epoch == epoch)?;
        let later = self.epochs.iter().skip(place + 1);
        Some((place, later.map(|row| row.begins).min()))
    }

    /// Whether the place was never replaced, as far as the table knows.
    pub(super) fn stands(&self, cursor: Cursor) -> bool {
        self.epoch(cursor.epoch()).is_some_and(|(_, fork)| fork.is_none_or(|fork| cursor.seq() < fork))
    }
}
