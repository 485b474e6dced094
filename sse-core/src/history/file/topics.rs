//! What the history remembers of each topic after its records were trimmed.

use std::{collections::HashMap, time::Duration};

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::{
    failure::{reading, storing, writing},
    layout::{META, META_FORGOTTEN, TOPICS, TRIMMED},
};
use crate::{
    history::{EntryKind, HistoryError, Pattern, Topic, matcher::Matcher},
    resume::{Cursor, Epoch},
};

/// The number of topics remembered in addition to those that have records.
const MOST: u64 = 100_000;

/// The number of further topics allowed before the oldest are forgotten.
const SLACK: u64 = 10_000;

/// The minimum time for which a finish is remembered: twice the longest `retry`.
const FINISH_MEMORY: Duration = Duration::from_secs(2 * 60 * 60);

/// The maximum number of topics scanned for one query, for all its patterns with wildcards together. Beyond that
/// the answer is an upper bound.
const MOST_SCANNED: usize = 10_000;

/// The last record of each topic in a transaction.
pub(super) type LastRecords = HashMap<Topic, (Cursor, EntryKind)>;

/// The summary of some topics.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The last position of a record with one of these topics.
    pub(super) last: u64,
    /// The last trimmed position of these topics.
    pub(super) trimmed: u64,
    /// The exact topics that are finished, with the position of the finish.
    pub(super) finished: Vec<(Topic, Cursor)>,
}

/// Looks up some topics.
pub(super) fn look_up(
    transaction: &ReadTransaction,
    patterns: &[Pattern],
    oldest: u64,
    head: u64,
) -> Result<Found, HistoryError> {
    let mut found = Found::default();
    if patterns.is_empty() {
        return Ok(found);
    }
    let Found { last, trimmed, finished } = &mut found;
    let topics = transaction.open_table(TOPICS).map_err(reading)?;
    let trims = transaction.open_table(TRIMMED).map_err(reading)?;
    let meta = transaction.open_table(META).map_err(reading)?;
    let forgotten = meta.get(META_FORGOTTEN).map_err(reading)?.map_or(0, |seq| seq.value());
    let trimmed_of = |topic: &str, seq: u64| -> Result<u64, HistoryError> {
        if seq < oldest {
            return Ok(seq);
        }
        // A topic that came back after it was forgotten may have been trimmed up to `forgotten`.
        let noted = trims.get(topic).map_err(reading)?.map_or(forgotten, |trimmed| trimmed.value());
        Ok(noted.min(oldest - 1))
    };
    for pattern in patterns {
        if let Ok(topic) = pattern.clone().into_topic() {
            match topics.get(topic.as_str()).map_err(reading)?.map(|row| row.value()) {
                None => {
                    *last = forgotten.max(*last);
                    *trimmed = forgotten.max(*trimmed);
                }
                Some((seq, epoch, _, is_finish)) => {
                    *last = seq.max(*last);
                    *trimmed = trimmed_of(topic.as_str(), seq)?.max(*trimmed);
                    if is_finish {
                        finished.push((topic, Cursor::new(Epoch::from_bits(epoch), seq)));
                    }
                }
            }
            continue;
        }
        *last = forgotten.max(*last);
        *trimmed = forgotten.max(*trimmed);
    }
    let wild: Vec<&Pattern> = patterns.iter().filter(|pattern| !pattern.is_exact()).collect();
    let matcher = Matcher::new(wild.iter().copied());
    let mut scanned = 0;
    for prefix in prefixes(&wild) {
        for row in topics.range(prefix..).map_err(reading)? {
            let (name, row) = row.map_err(reading)?;
            if !name.value().starts_with(prefix) {
                break;
            }
            if scanned == MOST_SCANNED {
                *last = head;
                *trimmed = oldest - 1;
                return Ok(found);
            }
            scanned += 1;
            let seq = row.value().0;
            // A position below both known values changes nothing.
            if seq > (*last).min(*trimmed) && matcher.matches(name.value()) {
                *last = seq.max(*last);
                *trimmed = trimmed_of(name.value(), seq)?.max(*trimmed);
            }
        }
    }
    Ok(found)
}

/// Returns the literal prefixes of the patterns, without duplicates: none of them begins with another one.
fn prefixes<'a>(wild: &[&'a Pattern]) -> Vec<&'a str> {
    let mut prefixes: Vec<&str> = wild.iter().map(|pattern| pattern.literal_prefix()).collect();
    prefixes.sort_unstable();
    prefixes.dedup_by(|next, before| next.starts_with(*before));
    prefixes
}

/// Stores the position up to which the records of these topics were trimmed.
pub(super) fn note_trimmed(
    transaction: &WriteTransaction,
    trimmed: &HashMap<Topic, u64>,
) -> Result<(), HistoryError> {
    let mut trims = transaction.open_table(TRIMMED).map_err(writing)?;
    for (topic, seq) in trimmed {
        trims.insert(topic.as_str(), *seq).map_err(storing)?;
    }
    Ok(())
}

/// Creates the tables.
pub(super) fn make_tables(transaction: &WriteTransaction) -> Result<(), HistoryError> {
    transaction.open_table(TOPICS).map_err(writing)?;
    transaction.open_table(TRIMMED).map_err(writing)?;
    Ok(())
}

/// Stores the last records of a transaction.
pub(super) fn remember(
    transaction: &WriteTransaction,
    lasts: &LastRecords,
    now: u64,
) -> Result<(), HistoryError> {
    let mut topics = transaction.open_table(TOPICS).map_err(writing)?;
    for (topic, (cursor, kind)) in lasts {
        let row = (cursor.seq(), cursor.epoch().to_bits(), now, *kind == EntryKind::Finish);
        topics.insert(topic.as_str(), row).map_err(storing)?;
    }
    Ok(())
}

/// Forgets the topics that have been quiet for longest, if there are too many: never a topic that has records, or
/// a finish that a reader may still ask for.
pub(super) fn forget(transaction: &WriteTransaction, oldest: u64, now: u64) -> Result<(), HistoryError> {
    let mut topics = transaction.open_table(TOPICS).map_err(writing)?;
    let count = topics.len().map_err(storing)?;
    if count <= MOST + SLACK {
        return Ok(());
    }
    let settled = now.saturating_sub(u64::try_from(FINISH_MEMORY.as_millis()).unwrap_or(u64::MAX));
    let may_go =
        |(seq, _, at, is_finish): (u64, u64, u64, bool)| seq < oldest && (!is_finish || at < settled);
    let mut candidates = Vec::new();
    for row in topics.iter().map_err(storing)? {
        let row = row.map_err(storing)?.1.value();
        if may_go(row) {
            candidates.push(row.0);
        }
    }
    candidates.sort_unstable();
    let excess = usize::try_from(count - MOST).unwrap_or(usize::MAX).min(candidates.len());
    let Some(highest) = excess.checked_sub(1).and_then(|place| candidates.get(place)).copied() else {
        return Ok(());
    };
    let mut trims = transaction.open_table(TRIMMED).map_err(writing)?;
    let mut gone = Vec::new();
    topics
        .retain(|topic, row| {
            let goes = may_go(row) && row.0 <= highest;
            if goes {
                gone.push(topic.to_owned());
            }
            !goes
        })
        .map_err(storing)?;
    for topic in gone {
        trims.remove(&*topic).map_err(storing)?;
    }
    let mut meta = transaction.open_table(META).map_err(writing)?;
    let known = meta.get(META_FORGOTTEN).map_err(storing)?.map_or(0, |seq| seq.value());
    meta.insert(META_FORGOTTEN, known.max(highest)).map_err(storing)?;
    Ok(())
}
