//! Reads events from the history that the window no longer has.

use std::{ops::Range, sync::Arc};

use tokio::time::Instant;

use crate::hub::{
    EventView, control_events,
    feeds::chunk::CHUNK_BYTES,
    feeds::feed::Feed,
    options::filter::{EventFilter, PermittedFrame},
    replay_limits::ReplayLimits,
};
use crate::{
    history::{DynHistory, HistoryError, HistoryErrorKind},
    panic::Panic,
    resume::EpochTable,
};

/// The number of records read at once; their bytes are at most a chunk, or one record that is larger.
const BLOCK: usize = 500;

/// The result of a read of the history.
pub(crate) enum ReplayOutcome {
    /// Everything up to `through` was read; the frames are those for the reader's topics.
    Read {
        frames: Vec<PermittedFrame>,
        through: u64,
        /// When this reader may continue to read, if it must wait.
        next_at: Option<Instant>,
        /// The reader's filter panicked at the next record.
        failure: Option<Panic>,
    },
    /// The requested events are no longer stored.
    Trimmed { oldest: u64 },
    /// The history does not respond, or is ahead of this process.
    Failed(HistoryError),
}

/// Reads the next records for the feed in `range` (excluding its start, including its end).
pub(crate) async fn read(
    history: DynHistory,
    feed: Arc<Feed>,
    sieve: Arc<EventFilter>,
    pace: ReplayLimits,
    mut next_at: Option<Instant>,
    epochs: EpochTable,
    range: Range<u64>,
) -> ReplayOutcome {
    let mut after = range.start;
    let mut frames = Vec::new();
    while frames.is_empty() && after < range.end {
        if let Some(next_at) = next_at {
            tokio::time::sleep_until(next_at).await;
        }
        let read = {
            let _permit = pace.permit().await;
            history.read(after, BLOCK, CHUNK_BYTES).await
        };
        let records = match read {
            Ok(records) => records,
            Err(error) if error.kind() == HistoryErrorKind::Trimmed => {
                let span = {
                    let _permit = pace.permit().await;
                    history.bounds(&feed.patterns).await
                };
                return match span {
                    Ok(span) if span.oldest <= after + 1 => ReplayOutcome::Failed(moved_on()),
                    // None of the trimmed records concern this reader.
                    Ok(span) if span.trimmed <= after => {
                        let through = range.end.min(span.oldest.saturating_sub(1));
                        ReplayOutcome::Read { frames, through, next_at, failure: None }
                    }
                    Ok(span) => ReplayOutcome::Trimmed { oldest: span.oldest },
                    Err(error) => ReplayOutcome::Failed(error),
                };
            }
            Err(error) => return ReplayOutcome::Failed(error),
        };
        let before = after;
        let mut bytes = 0;
        let mut batch = sieve.batch();
        for record in records {
            let seq = record.cursor.seq();
            if seq > range.end {
                break;
            }
            // A record of another epoch than this process has at its position is not the right one.
            if seq != after + 1 || !epochs.names(record.cursor) {
                return ReplayOutcome::Failed(moved_on());
            }
            if record.topics.iter().any(|topic| feed.matches(topic)) {
                let event = EventView::of_lines(&record.topics, &record.lines, record.cursor);
                let frame = || control_events::finish_block(record.lines.to_vec(), record.cursor);
                if let Err(panic) = batch.offer(&event, seq, frame) {
                    let (frames, failure) = (batch.into_frames(), Some(panic));
                    return ReplayOutcome::Read { frames, through: after, next_at, failure };
                }
            }
            after = seq;
            bytes += record.lines.len();
        }
        frames = batch.into_frames();
        next_at = pace.next_after(bytes);
        if after == before {
            return ReplayOutcome::Failed(moved_on());
        }
    }
    ReplayOutcome::Read { frames, through: after, next_at, failure: None }
}

fn moved_on() -> HistoryError {
    HistoryError::new(HistoryErrorKind::Unavailable, "it was rewritten while being read; reconnect")
}
