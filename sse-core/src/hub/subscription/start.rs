//! Where a reader begins.

use std::collections::BTreeSet;

use crate::hub::{
    feeds::feed::{Feed, FeedInner},
    options::start::Start,
    window::survey::View,
};
use crate::{
    history::HistoryBounds,
    request::Cors,
    resume::{Cursor, Decision, EpochsVersion, Gap, GapReason, Known, Requested, Resume, decide},
};

/// Where a reader begins.
#[derive(Debug)]
pub(crate) struct StartPoint {
    pub(crate) decision: Decision,
    pub(crate) position: u64,
    /// What each ring had evicted, if the reader asked for stored events.
    pub(crate) ignored_evictions: Option<Box<[u64]>>,
    /// All requested topics are finished, and the reader has all events.
    pub(crate) no_content: bool,
    /// All requested topics are finished before the position.
    pub(crate) is_over: bool,
    /// No requested event follows the position yet.
    pub(crate) at_tail: bool,
    /// The version of the epoch table that was applied.
    pub(crate) version: EpochsVersion,
}

/// How a reader began, for the code that makes the response; in a box, because most begin as new readers.
#[derive(Default)]
pub(in crate::hub) struct StartSummary {
    pub(in crate::hub) resume: Resume,
    pub(in crate::hub) no_content: bool,
    pub(in crate::hub) is_refused: bool,
    /// The cursor that a new reader gets although it is refused.
    pub(in crate::hub) refused_at: Option<Cursor>,
    /// The subscription answers a probe, which reads nothing.
    pub(in crate::hub) is_probe: bool,
    pub(in crate::hub) cors: Cors,
}

/// The history's answer about a cursor that the window cannot resolve alone.
pub(in crate::hub) struct HistoryCheck {
    pub(in crate::hub) bounds: HistoryBounds,
    /// The version of the epoch table.
    pub(in crate::hub) version: EpochsVersion,
    /// Whether the record at the cursor is still the one that the cursor names.
    pub(in crate::hub) is_verified: bool,
    /// Where a reader that begins with the newest events begins, if that is before the window.
    pub(in crate::hub) latest: Option<u64>,
}

/// Resolves a cursor by what the window knows and, if it was queried, the history.
pub(in crate::hub) fn resolve_cursor(
    view: &View,
    requested: &Requested,
    check: Option<&HistoryCheck>,
) -> Decision {
    let Some(check) = check else {
        let evicted = view.evicted;
        return decide(requested, &Known { epochs: &view.epochs, head: view.head, evicted });
    };
    // Trimmed records matter only if they include requested topics and came after the cursor. The window may
    // know that they do not, even if the history does not know.
    let evicted = match requested {
        Requested::Cursor(cursor) if check.bounds.trimmed > cursor.seq() && !view.proves(*cursor) => {
            check.bounds.oldest.saturating_sub(1)
        }
        _ => 0,
    };
    let head = check.bounds.head.max(view.head);
    match decide(requested, &Known { epochs: &check.bounds.epochs, head, evicted }) {
        // A cursor beyond a known fork has a better answer: it continues at the fork.
        Decision::Exact(_) if !check.is_verified => Decision::GapByStart(GapReason::Fork),
        decision => decision,
    }
}

/// Decides where a reader begins, under one lock of its feed; returns `None` if the history was rewritten since
/// `view` was taken or the history was queried, because the positions in them may now be those of other records.
pub(in crate::hub) fn open(
    feed: &Feed,
    view: &View,
    requested: &Requested,
    start: Start,
    check: Option<&HistoryCheck>,
) -> Option<StartPoint> {
    let is_exact = feed.is_exact;
    let feed = feed.lock();
    if feed.version != view.version || check.is_some_and(|check| check.version != view.version) {
        return None;
    }
    let decision = resolve_cursor(view, requested, check);
    let resumed = match decision {
        Decision::Exact(position) => Some(position),
        Decision::GapAt { resume, .. } => Some(resume),
        Decision::Fresh | Decision::GapByStart(_) => None,
    };
    let (position, ignored_evictions) = match (resumed, start, check) {
        (Some(position), ..) => (position, None),
        (None, Start::Live, _) => (view.head, None),
        (None, Start::Earliest, Some(check)) => (check.bounds.oldest.saturating_sub(1), None),
        (None, Start::Latest(_), Some(HistoryCheck { latest: Some(latest), .. })) => (*latest, None),
        (None, Start::Earliest, None) => kept(&feed, view.head, None),
        (None, Start::Latest(count), _) => kept(&feed, view.head, Some(count)),
    };
    let finishes = if is_exact { finishes(&feed) } else { None };
    let is_over =
        finishes.as_ref().is_some_and(|finishes| finishes.iter().all(|finish| position >= finish.seq()));
    let no_content = is_over && matches!(decision, Decision::Exact(_));
    let at_tail = feed.backlog.last <= position;
    Some(StartPoint {
        decision,
        position,
        ignored_evictions,
        no_content,
        is_over,
        at_tail,
        version: view.version,
    })
}

/// Returns the cursors of the finish records if the last record of every topic is one.
fn finishes(feed: &FeedInner) -> Option<Vec<Cursor>> {
    feed.backlog.rings.iter().map(|ring| ring.lock().finished.map(|(cursor, _)| cursor)).collect()
}

/// Returns the position before the newest `count` frames that are kept, or before all of them, and what each
/// ring had evicted at that moment.
fn kept(feed: &FeedInner, head: u64, count: Option<usize>) -> (u64, Option<Box<[u64]>>) {
    let mut newest = BTreeSet::new();
    let mut ignored_evictions = Vec::with_capacity(feed.backlog.rings.len());
    for ring in &feed.backlog.rings {
        let ring = ring.lock();
        ignored_evictions.push(ring.evicted);
        let mut kept = ring.after(0);
        match (count, &*feed.backlog.rings) {
            (Some(count), [_, _, ..]) => newest.extend(kept.rev().take(count).map(|kept| kept.seq)),
            // The first of them is enough if no frames of other topics can lie between.
            _ => {
                let skipped = count.map_or(0, |count| kept.len().saturating_sub(count));
                newest.extend(kept.nth(skipped).map(|kept| kept.seq));
            }
        }
    }
    let position = before_newest(&newest, count.unwrap_or(usize::MAX)).unwrap_or(head);
    (position, Some(ignored_evictions.into_boxed_slice()))
}

/// Returns the position before the newest `count` of these, if there are any.
pub(in crate::hub) fn before_newest(positions: &BTreeSet<u64>, count: usize) -> Option<u64> {
    let nth = count.min(positions.len()).checked_sub(1)?;
    positions.iter().nth_back(nth).map(|first| first - 1)
}

impl StartPoint {
    /// Returns how the subscription began, for the handler, and for the notice to the reader if there is a gap;
    /// `resumed_at` names the position.
    pub(crate) fn resume(&self, requested: &Requested, resumed_at: Cursor) -> Resume {
        let (reason, missed) = match (self.decision, requested) {
            (Decision::Fresh, _) => return Resume::Fresh,
            (Decision::Exact(_), Requested::Cursor(after)) if self.at_tail => {
                return Resume::AtTail { after: *after };
            }
            (Decision::Exact(_), Requested::Cursor(after)) => return Resume::Exact { after: *after },
            (Decision::Exact(_), _) => return Resume::Fresh,
            (Decision::GapAt { reason, missed, .. }, _) => (reason, missed),
            (Decision::GapByStart(reason), _) => (reason, None),
        };
        let requested = match requested {
            Requested::Nothing => None,
            Requested::Cursor(cursor) => Some(cursor.to_string()),
            Requested::Malformed(text) => Some(text.clone()),
        };
        Resume::Gap(Gap { reason, requested, resumed_at, missed })
    }
}
