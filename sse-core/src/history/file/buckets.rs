//! Buckets: the units of trimming.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use redb::{ReadableTable, WriteTransaction};

use super::{
    block,
    failure::{storing, writing},
    layout::{BUCKETS, Records, bucket_name},
};
use crate::{
    history::{HistoryError, Record, Retention, Topic},
    resume::EpochTable,
};

/// The number of buckets into which the retained records are divided.
const BUCKETS_KEPT: u32 = 8;

/// The maximum number of events in a bucket, whatever the retention.
const MOST_EVENTS: u64 = 100_000;

/// A bucket: neighbouring records.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    first: u64,
    last: u64,
    bytes: u64,
    /// The time at which the last record was written.
    newest: u64,
    /// The time at which the bucket was begun, as far as this process knows.
    begun: u64,
}

/// The buckets, oldest first, and the retention.
#[derive(Debug)]
pub(super) struct Buckets {
    kept: VecDeque<Bucket>,
    bytes: u64,
    retention: Retention,
}

impl Buckets {
    pub(super) fn load(transaction: &WriteTransaction, retention: Retention) -> Result<Self, HistoryError> {
        let table = transaction.open_table(BUCKETS).map_err(writing)?;
        let mut buckets = Self { kept: VecDeque::new(), bytes: 0, retention };
        for row in table.iter().map_err(storing)? {
            let (first, row) = row.map_err(storing)?;
            let (last, bytes, newest) = row.value();
            buckets.bytes += bytes;
            buckets.kept.push_back(Bucket { first: first.value(), last, bytes, newest, begun: newest });
        }
        Ok(buckets)
    }

    /// Returns the oldest stored position.
    pub(super) fn oldest(&self, head: u64) -> u64 {
        self.kept.front().map_or(head + 1, |bucket| bucket.first)
    }

    /// Moves times that lie in the future, because the clock was set back, to `now`: else those records, and all
    /// after them, would be kept until that future has come.
    pub(super) fn set_back(&mut self, now: u64) {
        for bucket in self.kept.iter_mut().filter(|bucket| bucket.newest > now || bucket.begun > now) {
            bucket.newest = bucket.newest.min(now);
            bucket.begun = bucket.begun.min(now);
        }
    }

    /// Begins a new bucket at `seq` if the newest one is full.
    pub(super) fn place(&mut self, seq: u64, now: u64) {
        if self.kept.back().is_none_or(|newest| self.is_full(newest, now)) {
            let last = seq.saturating_sub(1);
            self.kept.push_back(Bucket { first: seq, last, bytes: 0, newest: now, begun: now });
        }
    }

    /// Returns the first position of the newest bucket.
    pub(super) fn newest(&self) -> u64 {
        self.kept.back().map_or(1, |newest| newest.first)
    }

    /// Returns how many more records fit into the newest bucket.
    pub(super) fn room(&self) -> u64 {
        self.kept.back().map_or(0, |newest| self.most_events().saturating_sub(newest.last + 1 - newest.first))
    }

    /// Adds a block that ends at `last`.
    pub(super) fn grow(
        &mut self,
        transaction: &WriteTransaction,
        last: u64,
        bytes: usize,
        now: u64,
    ) -> Result<(), HistoryError> {
        let mut table = transaction.open_table(BUCKETS).map_err(writing)?;
        if let Some(newest) = self.kept.back_mut() {
            self.bytes += bytes as u64;
            newest.last = last;
            newest.bytes += bytes as u64;
            newest.newest = now;
            table.insert(newest.first, (last, newest.bytes, now)).map_err(storing)?;
        }
        Ok(())
    }

    /// Returns whether the oldest bucket must be dropped.
    pub(super) fn is_trim_due(&self, now: u64) -> bool {
        let (Some(oldest), Some(newest)) = (self.kept.front(), self.kept.back()) else { return false };
        let rest = newest.last.saturating_sub(oldest.last);
        let Retention { events, bytes, age } = self.retention;
        rest >= events as u64
            || self.bytes - oldest.bytes >= bytes as u64
            || u128::from(now.saturating_sub(oldest.newest)) > age.as_millis()
    }

    /// Drops the expired buckets; returns the last position that each topic had in them.
    pub(super) fn trim(
        &mut self,
        transaction: &WriteTransaction,
        epochs: &EpochTable,
        now: u64,
    ) -> Result<HashMap<Topic, u64>, HistoryError> {
        let mut trimmed = HashMap::new();
        let mut table = transaction.open_table(BUCKETS).map_err(writing)?;
        while self.is_trim_due(now) {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes;
            table.remove(oldest.first).map_err(storing)?;
            let name = bucket_name(oldest.first);
            let records = transaction.open_table(Records::new(&name)).map_err(writing)?;
            let mut block = Vec::new();
            for row in records.iter().map_err(storing)? {
                let (last, bytes) = row.map_err(storing)?;
                block::read(bytes.value(), last.value(), 0, epochs, usize::MAX, &mut block)?;
                for Record { topics, cursor, .. } in block.drain(..) {
                    trimmed.extend(topics.into_iter().map(|topic| (topic, cursor.seq())));
                }
            }
            drop(records);
            transaction.delete_table(Records::new(&name)).map_err(writing)?;
        }
        Ok(trimmed)
    }

    fn most_events(&self) -> u64 {
        (self.retention.events as u64 / u64::from(BUCKETS_KEPT)).clamp(1, MOST_EVENTS)
    }

    fn is_full(&self, bucket: &Bucket, now: u64) -> bool {
        let Retention { bytes, age, .. } = self.retention;
        let age: Duration = age / BUCKETS_KEPT;
        bucket.last + 1 - bucket.first >= self.most_events()
            || bucket.bytes >= (bytes as u64 / u64::from(BUCKETS_KEPT)).max(1)
            || u128::from(now.saturating_sub(bucket.begun)) > age.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bucket, Buckets};
    use crate::history::Retention;

    #[test]
    fn a_clock_that_was_ahead_does_not_keep_records_for_ever() {
        let bucket = |first: u64, at| Bucket { first, last: first + 9, bytes: 10, newest: at, begun: at };
        let retention = Retention::default().age(Duration::from_secs(60));
        let (now, ahead) = (1_000_000, 900_000_000);
        let mut buckets = Buckets { kept: [bucket(1, ahead), bucket(11, now)].into(), bytes: 20, retention };
        buckets.set_back(now);
        assert!(!buckets.is_trim_due(now + 60_000));
        assert!(buckets.is_trim_due(now + 60_001));
        // The age alone can make a bucket full.
        assert!(buckets.is_full(&bucket(1, now), now + 60_001));
    }
}
