use super::{Cursor, Epoch};

/// An epoch and the position of its first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochRow {
    /// The epoch.
    pub epoch: Epoch,
    /// The position of its first record.
    pub begins: u64,
}

impl EpochRow {
    /// Makes the row of an epoch whose first record is at this position.
    #[must_use]
    pub fn new(epoch: Epoch, begins: u64) -> Self {
        Self { epoch, begins }
    }
}

/// The table of a history's epochs, oldest first, like Kafka's leader epochs (KIP-101).
///
/// Positions are ordered by their row in the table first, then by number: an epoch that begins below the end of an
/// earlier one has replaced that end (a fork).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochTable(Vec<EpochRow>);

/// How often a process has changed its epoch table, which only grows: the number of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochsVersion(u32);

impl EpochsVersion {
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }
}

impl EpochTable {
    /// Makes a table with one epoch, which begins at position 1.
    #[must_use]
    pub fn starting(epoch: Epoch) -> Self {
        Self(vec![EpochRow { epoch, begins: 1 }])
    }

    /// Makes a table of these rows, oldest first; `None` if there are no rows.
    #[must_use]
    pub fn from_rows(rows: Vec<EpochRow>) -> Option<Self> {
        (!rows.is_empty()).then_some(Self(rows))
    }

    /// Returns the rows, oldest first; never empty.
    #[must_use]
    pub fn rows(&self) -> &[EpochRow] {
        &self.0
    }

    /// Returns the version of the table, to learn later whether it has changed.
    pub(crate) fn version(&self) -> EpochsVersion {
        EpochsVersion(u32::try_from(self.0.len()).unwrap_or(u32::MAX))
    }

    /// Adds an epoch as the newest.
    pub fn push(&mut self, row: EpochRow) {
        self.0.push(row);
    }

    /// Returns the newest epoch.
    #[must_use]
    pub fn current(&self) -> Epoch {
        self.0.last().map_or(Epoch::from_bits(0), |row| row.epoch)
    }

    /// Returns the epoch of the current record at `seq`.
    #[must_use]
    pub fn at(&self, seq: u64) -> Epoch {
        let row = self.0.iter().rev().find(|row| row.begins <= seq).or(self.0.first());
        row.map_or(Epoch::from_bits(0), |row| row.epoch)
    }

    /// Returns the cursor for "everything up to `seq`" in the newest epoch.
    #[must_use]
    pub fn cursor(&self, seq: u64) -> Cursor {
        Cursor::new(self.current(), seq)
    }

    /// Returns the fork at which `epoch` was left: `None` if it is not in the table, `Some(None)` if nothing
    /// replaced its end, else the lowest beginning of a later epoch. If an epoch came back, its last row counts.
    pub(crate) fn fork_after(&self, epoch: Epoch) -> Option<Option<u64>> {
        let place = self.0.iter().rposition(|row| row.epoch == epoch)?;
        Some(self.0.iter().skip(place + 1).map(|row| row.begins).min())
    }

    /// Returns the lowest beginning of the epochs that were added since the table had the version `seen`.
    pub(crate) fn fork_since(&self, seen: EpochsVersion) -> Option<u64> {
        self.0.iter().skip(seen.0 as usize).map(|row| row.begins).min()
    }

    /// Returns the rows up to and including the last one of `epoch`, or all of them if there is none.
    pub(crate) fn through(&self, epoch: Epoch) -> Self {
        let count = self.0.iter().rposition(|row| row.epoch == epoch).map_or(self.0.len(), |place| place + 1);
        Self(self.0.iter().take(count).copied().collect())
    }

    /// Returns whether the record at the cursor belongs to this table: no other epoch has its position, as far as
    /// the table reaches back.
    pub(crate) fn names(&self, cursor: Cursor) -> bool {
        let reaches_back = self.0.first().is_some_and(|first| first.begins <= cursor.seq());
        !reaches_back || self.at(cursor.seq()) == cursor.epoch()
    }

    /// Returns the rows to add to this table, which holds what one process has seen, so that it agrees with the
    /// history's own.
    ///
    /// Empty if the newest epoch of `table` is known here: it is the same table, or one that was read earlier. A
    /// history that became older, or another one in its place, has to begin a new epoch for processes that know
    /// more than it does. Its table may lack rows that are known here; an epoch that those had replaced comes back
    /// then, and is added again from the first position on at which the two tables differ.
    pub(crate) fn news(&self, table: &Self) -> Vec<EpochRow> {
        if self.fork_after(table.current()).is_some() {
            return Vec::new();
        }
        let unknown = table.0.iter().filter(|row| self.fork_after(row.epoch).is_none());
        let news: Vec<EpochRow> = unknown.copied().collect();
        let extended = Self([&*self.0, &*news].concat());
        if extended.first_difference(table).is_none() {
            return news;
        }
        let Some(from) = self.first_difference(table) else { return news };
        let place = table.0.iter().rposition(|row| row.begins <= from).unwrap_or(0);
        let rows = table.0.iter().skip(place);
        rows.map(|row| EpochRow { begins: row.begins.max(from), ..*row }).collect()
    }

    /// Returns the first position for which two tables name different epochs, as far as the other one reaches
    /// back.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<u64> {
        let oldest = other.0.first().map_or(0, |row| row.begins);
        let begins = self.0.iter().chain(&other.0).map(|row| row.begins);
        begins.filter(|begins| *begins >= oldest && self.at(*begins) != other.at(*begins)).min()
    }
}
