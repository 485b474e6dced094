use std::fmt;

use super::{Cursor, EpochTable, Requested};

/// How a subscription began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Resume {
    /// The request had no cursor: it begins where [`Start`](crate::Start) says.
    #[default]
    Fresh,
    /// Everything after the cursor that was asked for follows.
    Exact {
        /// The cursor.
        after: Cursor,
    },
    /// The cursor is the newest place: nothing to catch up.
    AtTail {
        /// The cursor.
        after: Cursor,
    },
    /// Something after the cursor is gone, and the first event says so.
    Gap(Gap),
}

/// A hole in what a reader gets, told to it as an event of type `sse.gap` before any other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Why there is a hole.
    pub reason: GapReason,
    /// The cursor or other text that the request sent, cut to 128 bytes if it is not a cursor.
    pub requested: Option<String>,
    /// The new cursor: the events after it follow.
    pub resumed_at: Cursor,
    /// At most so many events of what was asked for are missing; `None` if nobody can know.
    pub missed: Option<u64>,
}

/// Why a reader cannot get everything after its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// The cursor's epoch is not in the history's table: another hub's, or one from before a restart without history.
    Epoch,
    /// The history was rewritten below the cursor, as a failover can do.
    Fork,
    /// The cursor is of a known epoch but beyond its newest record.
    Future,
    /// The text is not a cursor.
    Malformed,
    /// Events after the cursor were evicted by the retention.
    Trimmed,
}

impl GapReason {
    /// The name in the notice's JSON and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Fork => "fork",
            Self::Future => "future",
            Self::Malformed => "malformed",
            Self::Trimmed => "trimmed",
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of a history when a cursor is judged.
pub(crate) struct Known<'a> {
    pub(crate) epochs: &'a EpochTable,
    pub(crate) head: u64,
    /// The highest evicted position of what was asked for.
    pub(crate) evicted: u64,
}

/// What a request's cursor comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No cursor: begin where `Start` says.
    Fresh,
    /// Go on after this position.
    Exact(u64),
    /// Go on after this position, which is the floor; at most so many are missing.
    GapAt { reason: GapReason, resume: u64, missed: Option<u64> },
    /// Begin where `Start` says, and say that nothing is known about what lies between.
    GapByStart(GapReason),
}

/// Judges a cursor: rules 2 and 5 of resume.
pub(crate) fn decide(requested: &Requested, known: &Known<'_>) -> Decision {
    let cursor = match requested {
        Requested::Nothing => return Decision::Fresh,
        Requested::Malformed(_) => return Decision::GapByStart(GapReason::Malformed),
        Requested::Cursor(cursor) => cursor,
    };
    let seq = cursor.seq();
    match known.epochs.fork_after(cursor.epoch()) {
        None => Decision::GapByStart(GapReason::Epoch),
        Some(Some(fork)) if seq >= fork => {
            let resume = (fork.saturating_sub(1)).max(known.evicted).min(known.head);
            Decision::GapAt { reason: GapReason::Fork, resume, missed: None }
        }
        Some(_) if seq > known.head => Decision::GapByStart(GapReason::Future),
        Some(_) => after(seq, known.evicted),
    }
}

/// Judges a position of the present epoch: a gap only if something asked for was evicted after it.
pub(crate) fn after(seq: u64, evicted: u64) -> Decision {
    if evicted > seq {
        let missed = Some(evicted - seq);
        return Decision::GapAt { reason: GapReason::Trimmed, resume: evicted, missed };
    }
    Decision::Exact(seq)
}
