//! Reads events from the history that the window no longer has.

use std::{ops::Range, sync::Arc};

use tokio::time::Instant;

use crate::hub::{
    control_events, feeds::chunk::CHUNK_BYTES, feeds::feed::Feed, options::event_view::EventView,
    options::filter::EventFilter, readers::holding::ReplayOutcome, replay_limits::ReplayLimits,
};
use crate::{
    history::{DynHistory, HistoryError, HistoryErrorKind},
    resume::EpochTable,
};

/// The number of records read at once; their bytes are at most a chunk, or one record that is larger.
const BLOCK: usize = 500;

/// Reads the next records for the feed in `range` (excluding its start, including its end).
pub(crate) async fn read(
    history: DynHistory,
    feed: Arc<Feed>,
    filter: Arc<EventFilter>,
    limits: ReplayLimits,
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
            let _permit = limits.permit().await;
            history.read(after, BLOCK, CHUNK_BYTES).await
        };
        let records = match read {
            Ok(records) => records,
            Err(error) if error.kind() == HistoryErrorKind::Trimmed => {
                let bounds = {
                    let _permit = limits.permit().await;
                    history.bounds(&feed.patterns).await
                };
                return match bounds {
                    Ok(bounds) if bounds.oldest <= after + 1 => ReplayOutcome::Failed(moved_on()),
                    // None of the trimmed records concern this reader.
                    Ok(bounds) if bounds.trimmed <= after => {
                        let ends_at = range.end.min(bounds.oldest.saturating_sub(1));
                        ReplayOutcome::Read { frames, ends_at, next_at, failure: None }
                    }
                    Ok(bounds) => ReplayOutcome::Trimmed { oldest: bounds.oldest },
                    Err(error) => ReplayOutcome::Failed(error),
                };
            }
            Err(error) => return ReplayOutcome::Failed(error),
        };
        let before = after;
        let mut bytes = 0;
        let mut batch = filter.batch();
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
                if let Err(panic) = batch.push(&event, seq, frame) {
                    let (frames, failure) = (batch.into_frames(), Some(panic));
                    return ReplayOutcome::Read { frames, ends_at: after, next_at, failure };
                }
            }
            after = seq;
            bytes += record.lines.len();
        }
        frames = batch.into_frames();
        next_at = limits.next_after(bytes);
        if after == before {
            return ReplayOutcome::Failed(moved_on());
        }
    }
    ReplayOutcome::Read { frames, ends_at: after, next_at, failure: None }
}

fn moved_on() -> HistoryError {
    HistoryError::new(HistoryErrorKind::Unavailable, "it was rewritten while being read; reconnect")
}
