use super::{Cursor, Epoch};

/// An epoch and the position of its first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
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
pub struct Epochs(Vec<EpochStart>);

impl Epochs {
    /// A table with one epoch, which begins at position 1.
    #[must_use]
    pub fn starting(epoch: Epoch) -> Self {
        Self(vec![EpochStart { epoch, begins: 1 }])
    }

    /// The table with these rows, oldest first, or `None` if there is no row.
    #[must_use]
    pub fn from_rows(rows: Vec<EpochStart>) -> Option<Self> {
        (!rows.is_empty()).then_some(Self(rows))
    }

    /// The rows, oldest first; never empty.
    #[must_use]
    pub fn rows(&self) -> &[EpochStart] {
        &self.0
    }

    /// Adds an epoch as the newest.
    pub fn push(&mut self, row: EpochStart) {
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
    /// lowest beginning of a later epoch.
    pub(crate) fn fork_after(&self, epoch: Epoch) -> Option<Option<u64>> {
        let place = self.0.iter().position(|row| row.epoch == epoch)?;
        Some(self.0.iter().skip(place + 1).map(|row| row.begins).min())
    }

    /// The lowest beginning among the epochs that came after the first `seen` rows.
    pub(crate) fn fork_since(&self, seen: usize) -> Option<u64> {
        self.0.iter().skip(seen).map(|row| row.begins).min()
    }
}
