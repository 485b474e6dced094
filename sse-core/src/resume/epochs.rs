use super::{Cursor, Epoch};

/// An epoch and the position of its first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochRow {
    /// The epoch.
    pub epoch: Epoch,
    /// The position of its first record.
    pub begins: u64,
}

/// The table of a history's epochs, oldest first, as Kafka keeps its leader epochs (KIP-101).
///
/// The place in the table orders positions before their number does: an epoch that begins below the end of an earlier
/// one has replaced that end (a fork).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochTable(Vec<EpochRow>);

impl EpochTable {
    /// A table with one epoch, which begins at position 1.
    #[must_use]
    pub fn starting(epoch: Epoch) -> Self {
        Self(vec![EpochRow { epoch, begins: 1 }])
    }

    /// The table with these rows, oldest first, or `None` if there is no row.
    #[must_use]
    pub fn from_rows(rows: Vec<EpochRow>) -> Option<Self> {
        (!rows.is_empty()).then_some(Self(rows))
    }

    /// The rows, oldest first; never empty.
    #[must_use]
    pub fn rows(&self) -> &[EpochRow] {
        &self.0
    }

    /// Adds an epoch as the newest.
    pub fn push(&mut self, row: EpochRow) {
        self.0.push(row);
    }

    /// The newest epoch.
    #[must_use]
    pub fn current(&self) -> Epoch {
        self.0.last().map_or(Epoch::from_bits(0), |row| row.epoch)
    }

    /// The epoch of the record that stands at `seq` now.
    #[must_use]
    pub fn at(&self, seq: u64) -> Epoch {
        let row = self.0.iter().rev().find(|row| row.begins <= seq).or(self.0.first());
        row.map_or(Epoch::from_bits(0), |row| row.epoch)
    }

    /// The cursor that says "everything up to `seq`" in the newest epoch.
    #[must_use]
    pub fn cursor(&self, seq: u64) -> Cursor {
        Cursor::new(self.current(), seq)
    }

    /// Where `epoch` was left: `None` if it is not in the table, `Some(None)` if nothing replaced its end, else the
    /// lowest beginning of a later epoch. Of an epoch that came back, the last row counts.
    pub(crate) fn fork_after(&self, epoch: Epoch) -> Option<Option<u64>> {
        let place = self.0.iter().rposition(|row| row.epoch == epoch)?;
        Some(self.0.iter().skip(place + 1).map(|row| row.begins).min())
    }

    /// The lowest beginning among the epochs that came after the first `seen` rows.
    pub(crate) fn fork_since(&self, seen: usize) -> Option<u64> {
        self.0.iter().skip(seen).map(|row| row.begins).min()
    }

    /// The rows up to and with the last one of `epoch`, or all of them if there is none.
    pub(crate) fn through(&self, epoch: Epoch) -> Self {
        let count = self.0.iter().rposition(|row| row.epoch == epoch).map_or(self.0.len(), |place| place + 1);
        Self(self.0.iter().take(count).copied().collect())
    }

    /// Whether the record at the cursor stands in this table: no other epoch has its position, as far as the table
    /// reaches back.
    pub(crate) fn names(&self, cursor: Cursor) -> bool {
        let reaches_back = self.0.first().is_some_and(|first| first.begins <= cursor.seq());
        !reaches_back || self.at(cursor.seq()) == cursor.epoch()
    }

    /// The rows to add to this table, which is what one process has seen, so that it agrees with the history's own.
    ///
    /// None if the newest epoch of `table` is known here: it is the same table, or one that was read earlier. A history
    /// that got older, or another one in its place, has to begin a new epoch for whoever knows more than it does. Its table
    /// may lack rows that are known here; an epoch that those had replaced comes back then, and is added again from
    /// the first position on at which the two tables differ.
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

    /// The first position for which two tables name different epochs, as far as the other one reaches back.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<u64> {
        let oldest = other.0.first().map_or(0, |row| row.begins);
        let begins = self.0.iter().chain(&other.0).map(|row| row.begins);
        begins.filter(|begins| *begins >= oldest && self.at(*begins) != other.at(*begins)).min()
    }
}
