//! Reads, from any thread.

use std::{
    collections::VecDeque,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use super::{
    block,
    failure::reading,
    layout::{BUCKETS, META, META_HEAD, Records, bucket_name},
    topics::{self, Found},
};
use crate::{
    history::{HistoryBounds, HistoryError, HistoryErrorKind, Pattern, Record, engine::cut_to_bytes},
    resume::EpochTable,
};

/// The number of the newest records kept in memory for the tails.
const RECENT: usize = 1_024;

/// The number of bytes of those records.
const RECENT_BYTES: usize = 4 << 20;

/// The data that a reading thread needs.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) database: Arc<Database>,
    /// The table of epochs; it does not change while the file is open.
    pub(super) epochs: Arc<EpochTable>,
    pub(super) recent: Arc<Recent>,
}

/// The newest records, without a hole.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<(VecDeque<Record>, usize)>);

impl Recent {
    /// Adds the newest records, and drops those that were trimmed.
    pub(super) fn extend(&self, new: impl IntoIterator<Item = Record>, oldest: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (records, bytes) = &mut *kept;
        for record in new {
            *bytes += record.lines.len();
            records.push_back(record);
        }
        while let Some(first) = records.front()
            && (records.len() > RECENT || *bytes > RECENT_BYTES || first.cursor.seq() < oldest)
        {
            *bytes -= first.lines.len();
            records.pop_front();
        }
    }

    fn after(&self, after: u64, limit: usize, max_bytes: usize) -> Option<Vec<Record>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (records, _) = &*kept;
        let first = records.front()?.cursor.seq();
        let skip = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        // At the head, an answer from memory could be older than the caller's own append.
        (skip < records.len()).then(|| {
            let mut found = records.iter().skip(skip).take(limit).cloned().collect();
            cut_to_bytes(&mut found, max_bytes);
            found
        })
    }
}

impl Reader {
    /// Returns the records after `after` if they are still in memory.
    pub(super) fn recent(&self, after: u64, limit: usize, max_bytes: usize) -> Option<Vec<Record>> {
        self.recent.after(after, limit, max_bytes)
    }

    pub(super) fn read(
        &self,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, HistoryError> {
        let transaction = self.database.begin_read().map_err(reading)?;
        let bounds = Bounds::of(&transaction)?;
        if after.saturating_add(1) < bounds.oldest {
            let message = format!("the record after {after} was trimmed; the oldest is {}", bounds.oldest);
            return Err(HistoryError::new(HistoryErrorKind::Trimmed, message));
        }
        let mut records = Vec::with_capacity(limit.min(1_024));
        let buckets = transaction.open_table(BUCKETS).map_err(reading)?;
        let (mut position, mut read) = (after, 0_usize);
        while records.len() < limit && position < bounds.head {
            let bucket = buckets.range(..=position + 1).map_err(reading)?.next_back();
            let Some(bucket) = bucket else { break };
            let first = bucket.map_err(reading)?.0.value();
            let name = bucket_name(first);
            let table = transaction.open_table(Records::new(&name)).map_err(reading)?;
            let before = position;
            for row in table.range::<u64>((Bound::Excluded(position), Bound::Unbounded)).map_err(reading)? {
                let (last, bytes) = row.map_err(reading)?;
                let held = records.len();
                block::read(bytes.value(), last.value(), position, &self.epochs, limit, &mut records)?;
                if records.get(held).is_some_and(|next| next.cursor.seq() != position + 1) {
                    return Err(super::failure::damaged("records are missing"));
                }
                position = records.last().map_or(position, |record| record.cursor.seq());
                read += records.iter().skip(held).map(|record| record.lines.len()).sum::<usize>();
                if read > max_bytes && cut_to_bytes(&mut records, max_bytes) {
                    return Ok(records);
                }
                if records.len() == limit {
                    break;
                }
            }
            if position == before {
                return Err(super::failure::damaged("records are missing"));
            }
        }
        Ok(records)
    }

    pub(super) fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        let transaction = self.database.begin_read().map_err(reading)?;
        let Bounds { oldest, head } = Bounds::of(&transaction)?;
        let Found { last, trimmed, finished } = topics::look_up(&transaction, patterns, oldest, head)?;
        Ok(HistoryBounds { oldest, head, epochs: (*self.epochs).clone(), last, trimmed, finished })
    }
}

/// The bounds of the history in a transaction.
struct Bounds {
    oldest: u64,
    head: u64,
}

impl Bounds {
    fn of(transaction: &ReadTransaction) -> Result<Self, HistoryError> {
        let meta = transaction.open_table(META).map_err(reading)?;
        let head = meta.get(META_HEAD).map_err(reading)?.map_or(0, |head| head.value());
        let buckets = transaction.open_table(BUCKETS).map_err(reading)?;
        let oldest = buckets.first().map_err(reading)?.map_or(head + 1, |(first, _)| first.value());
        Ok(Self { oldest, head })
    }
}
