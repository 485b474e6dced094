use std::fmt;

use super::{Cursor, EpochTable};

/// The way in which a subscription began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Resume {
    /// The request had no cursor: the subscription begins at its [`Start`](crate::Start).
    #[default]
    Fresh,
    /// Everything after the requested cursor follows.
    Exact {
        /// The cursor.
        after: Cursor,
    },
    /// The cursor is the newest position: there is nothing to replay.
    AtTail {
        /// The cursor.
        after: Cursor,
    },
    /// Some events after the cursor are lost, and the first event reports that.
    Gap(Gap),
}

/// A hole in a reader's events, reported to the reader as an event of type `sse.gap` before any other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The reason for the hole.
    pub reason: GapReason,
    /// The cursor or other text that the request sent, cut to 128 bytes if it is not a cursor.
    pub requested: Option<String>,
    /// The new cursor: the events after it follow.
    pub resumed_at: Cursor,
    /// The maximum number of missing events of the requested topics; `None` if it is unknown.
    pub missed: Option<u64>,
}

/// The reason why a reader cannot get everything after its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// The cursor's epoch is not in the history's table: it belongs to another hub, or to a time before a restart
    /// without history.
    Epoch,
    /// The history was rewritten below the cursor, as a failover can do.
    Fork,
    /// The cursor has a known epoch, but its position is beyond the epoch's newest record.
    Future,
    /// The text is not a cursor.
    Malformed,
    /// Events after the cursor were evicted by the retention.
    Trimmed,
}

impl GapReason {
    /// Returns the name in the notice's JSON and in the metrics.
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

/// The state of a history that decides about a cursor.
pub(crate) struct Known<'a> {
    pub(crate) epochs: &'a EpochTable,
    pub(crate) head: u64,
    /// The highest evicted position of the requested topics.
    pub(crate) evicted: u64,
}

/// The decision about a request's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No cursor: begin at `Start`.
    Fresh,
    /// Continue after this position.
    Exact(u64),
    /// Continue after `resume`, the lowest position without a further gap; at most `missed` events are missing.
    GapAt { reason: GapReason, resume: u64, missed: Option<u64> },
    /// Begin at `Start`, and report that an unknown number of events is missing before it.
    GapByStart(GapReason),
}

/// The parsed id of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requested {
    Nothing,
    Cursor(Cursor),
    Malformed(String),
}

/// Decides about a cursor: rules 2 and 5 of resume.
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

/// Decides about a position of the current epoch: a gap only if an event of the requested topics was evicted after
/// it.
pub(crate) fn after(seq: u64, evicted: u64) -> Decision {
    if evicted > seq {
        let missed = Some(evicted - seq);
        return Decision::GapAt { reason: GapReason::Trimmed, resume: evicted, missed };
    }
    Decision::Exact(seq)
}
