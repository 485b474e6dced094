//! What the history answers about where a reader begins.

use std::{collections::BTreeSet, sync::Arc};

use crate::hub::subscription::start::{HistoryCheck, before_newest, resolve_cursor};
use crate::hub::{
    feeds::chunk::CHUNK_BYTES, feeds::feed::Feed, options::start::Start, replay_limits::ReplayLimits,
    shared::Shared, window::survey::View,
};
use crate::{
    history::{DynHistory, HistoryBounds, HistoryError, Pattern},
    resume::{Decision, Requested},
};

/// Queries the history if the window alone cannot decide: rules 5, 8 and 13. The view is taken again if the
/// answer brings a new epoch.
pub(in crate::hub) async fn query_history(
    history: &DynHistory,
    hub: &Shared,
    feed: &Arc<Feed>,
    view: &mut View,
    requested: &Requested,
    start: Start,
) -> Result<Option<HistoryCheck>, HistoryError> {
    let unknown_finish = feed.is_exact && !view.is_known;
    let before_window = match requested {
        Requested::Cursor(cursor) => !view.proves(*cursor),
        Requested::Nothing | Requested::Malformed(_) => start != Start::Live && view.evicted > 0,
    };
    let unproved = match requested {
        Requested::Cursor(cursor) if cursor.checksum().is_some() => {
            hub.window().lock().kept_cursor(cursor.seq()) != Some(*cursor)
        }
        _ => false,
    };
    if !(unknown_finish || before_window || unproved) {
        return Ok(None);
    }
    let answer = {
        // The history searches for the matching topics of wildcards; such a request waits for its turn.
        let _permit = if feed.is_exact { None } else { hub.replay_limits().permit().await };
        history.bounds(&feed.patterns).await
    };
    let mut bounds = match answer {
        Ok(bounds) => bounds,
        // Without the answer, a live reader only does not learn that its topic was finished before this process
        // began.
        Err(_) if !before_window && !unproved => return Ok(None),
        Err(error) => return Err(error),
    };
    let version = hub.merge_epochs(&mut bounds.epochs);
    if version != view.version {
        *view = hub.window().view_in_steps(feed).await;
    }
    hub.window().merge_finished(feed, &bounds.epochs, &bounds.finished);
    let is_verified = match requested {
        Requested::Cursor(cursor) if unproved => history.verify(*cursor).await?,
        _ => true,
    };
    let mut check = HistoryCheck { bounds, version, is_verified, latest: None };
    let begins_by_start =
        matches!(resolve_cursor(view, requested, Some(&check)), Decision::Fresh | Decision::GapByStart(_));
    if let Start::Latest(count) = start
        && view.evicted > 0
        && begins_by_start
    {
        let latest = latest_in(history, hub.replay_limits(), &feed.patterns, &check.bounds, count).await?;
        check.latest = Some(latest);
    }
    Ok(Some(check))
}

/// The number of records that are searched backwards for the newest of some topics.
const LATEST_SEARCH: u64 = 100_000;

/// Returns the position before the newest `count` records of these topics, searched block by block from the
/// head.
async fn latest_in(
    history: &DynHistory,
    limits: &ReplayLimits,
    patterns: &[Pattern],
    bounds: &HistoryBounds,
    count: usize,
) -> Result<u64, HistoryError> {
    const BLOCK: u64 = 1_000;
    let lowest = bounds.oldest.saturating_sub(1).max(bounds.head.saturating_sub(LATEST_SEARCH));
    let mut found = BTreeSet::new();
    let mut end = bounds.last.min(bounds.head);
    while end > lowest && found.len() < count {
        let after = end.saturating_sub(BLOCK).max(lowest);
        let mut read = after;
        while read < end {
            let limit = usize::try_from(end - read).unwrap_or(usize::MAX);
            let records = {
                let _permit = limits.permit().await;
                history.read(read, limit, CHUNK_BYTES).await?
            };
            let Some(last) = records.last() else { break };
            read = last.cursor.seq();
            for record in records {
                if record.topics.iter().any(|topic| patterns.iter().any(|pattern| pattern.matches(topic))) {
                    found.insert(record.cursor.seq());
                }
            }
        }
        end = after;
    }
    Ok(before_newest(&found, count).unwrap_or(bounds.head))
}
