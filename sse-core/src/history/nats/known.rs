//! What this process knows about the streams.

use serde::{Deserialize, Serialize};

use super::NatsHistoryBuilder;
use crate::resume::{Epoch, EpochRow, EpochTable};

/// The number of epochs kept; a cursor of an older one gets a gap.
const MOST: usize = 1_000;

/// The table as it is stored: one message, which is replaced as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Table {
    /// The creation time of the stream of events: another time means another stream.
    pub(super) created: String,
    /// The run of the server in which the newest row was written, if runs can be distinguished.
    pub(super) server: Option<String>,
    /// Each epoch in hexadecimal digits, with the position where it begins, oldest first.
    pub(super) epochs: Vec<(String, u64)>,
}

/// The part of the table that this process knows. Rows are only ever added, so that the process and its readers
/// agree.
#[derive(Debug, Default)]
pub(super) struct Known {
    rows: Vec<EpochRow>,
    pub(super) created: String,
}

impl Known {
    pub(super) fn epochs(&self) -> Option<EpochTable> {
        EpochTable::from_rows(self.rows.clone())
    }

    pub(super) fn rows(&self) -> &[EpochRow] {
        &self.rows
    }

    /// Returns the epoch of the current record at `seq`.
    pub(super) fn at(&self, seq: u64) -> Epoch {
        let row = self.rows.iter().rev().find(|row| row.begins <= seq).or(self.rows.first());
        row.map_or(Epoch::from_bits(0), |row| row.epoch)
    }

    pub(super) fn adopt(&mut self, table: &Table) {
        for (epoch, begins) in &table.epochs {
            let Ok(bits) = u64::from_str_radix(epoch, 16) else { continue };
            let epoch = Epoch::from_bits(bits);
            if !self.rows.iter().any(|row| row.epoch == epoch) {
                self.rows.push(EpochRow { epoch, begins: *begins });
            }
        }
        self.created.clone_from(&table.created);
    }
}

/// The safety of a stream: its replicas and storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Safety {
    pub(super) replicas: usize,
    pub(super) storage: String,
}

impl Safety {
    pub(super) fn of_options(options: &NatsHistoryBuilder) -> Self {
        Self { replicas: options.replicas, storage: options.storage.as_str().to_owned() }
    }
}

impl Table {
    /// Reads the table in a message, if it has a row.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let table: Self = serde_json::from_slice(bytes).ok()?;
        table.epochs.iter().any(|(epoch, _)| u64::from_str_radix(epoch, 16).is_ok()).then_some(table)
    }

    pub(super) fn push(&mut self, begins: u64) {
        self.epochs.push((Epoch::random().to_string(), begins));
        let surplus = self.epochs.len().saturating_sub(MOST);
        self.epochs.drain(..surplus);
    }
}
