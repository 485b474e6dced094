//! Keys in generations, each with its own table, so that forgetting drops a table.

use std::{collections::VecDeque, time::Duration};

use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    failure::{storing, writing},
    layout::{GENERATIONS, Keys, generation_name},
};
use crate::{
    history::HistoryError,
    resume::{Cursor, Epoch},
};

/// The maximum number of keys in a generation.
const MOST: u64 = 250_000;

/// The number of full generations kept beside the current one.
const KEPT: usize = 4;

/// The time for which a generation is filled.
const FILLED: Duration = Duration::from_secs(6 * 60 * 60);

/// The time for which a key is remembered.
const MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// A generation: its number, its start and the number of its keys.
#[derive(Debug, Clone, Copy)]
struct Generation {
    number: u64,
    begun: u64,
    count: u64,
}

/// The generations, oldest first.
#[derive(Debug, Default)]
pub(super) struct Generations(VecDeque<Generation>);

impl Generations {
    pub(super) fn load(transaction: &WriteTransaction) -> Result<Self, HistoryError> {
        let table = transaction.open_table(GENERATIONS).map_err(writing)?;
        let mut generations = VecDeque::new();
        for row in table.iter().map_err(storing)? {
            let (number, row) = row.map_err(storing)?;
            let (begun, count) = row.value();
            generations.push_back(Generation { number: number.value(), begun, count });
        }
        Ok(Self(generations))
    }

    /// Begins a new generation if one is due, and forgets the oldest.
    pub(super) fn rotate(&mut self, transaction: &WriteTransaction, now: u64) -> Result<(), HistoryError> {
        let newest = self.0.back().copied();
        if newest.is_none_or(|newest| newest.count >= MOST || is_over(newest.begun, FILLED, now)) {
            let number = newest.map_or(1, |newest| newest.number + 1);
            self.0.push_back(Generation { number, begun: now, count: 0 });
        }
        let mut table = transaction.open_table(GENERATIONS).map_err(writing)?;
        while self.0.len() > KEPT + 1 || self.has_forgotten(now) {
            let Some(oldest) = self.0.pop_front() else { break };
            table.remove(oldest.number).map_err(storing)?;
            transaction.delete_table(Keys::new(&generation_name(oldest.number))).map_err(writing)?;
        }
        Ok(())
    }

    /// Opens the tables for a transaction.
    pub(super) fn open<'a>(
        &mut self,
        transaction: &'a WriteTransaction,
    ) -> Result<OpenKeys<'a>, HistoryError> {
        let mut tables = Vec::with_capacity(self.0.len());
        for generation in &self.0 {
            let name = generation_name(generation.number);
            tables.push(transaction.open_table(Keys::new(&name)).map_err(writing)?);
        }
        Ok(OpenKeys { tables, added: 0 })
    }

    /// Counts the keys added in a transaction.
    pub(super) fn added(&mut self, transaction: &WriteTransaction, added: u64) -> Result<(), HistoryError> {
        let mut table = transaction.open_table(GENERATIONS).map_err(writing)?;
        if let Some(newest) = self.0.back_mut() {
            newest.count += added;
            table.insert(newest.number, (newest.begun, newest.count)).map_err(storing)?;
        }
        Ok(())
    }

    /// Returns whether even the newest key of the oldest generation is too old: the next generation began that
    /// long ago.
    fn has_forgotten(&self, now: u64) -> bool {
        self.0.get(1).is_some_and(|second| is_over(second.begun, MEMORY, now))
    }
}

/// The tables of keys in a transaction.
pub(super) struct OpenKeys<'a> {
    tables: Vec<Table<'a, &'static str, (u64, u64)>>,
    pub(super) added: u64,
}

impl OpenKeys<'_> {
    pub(super) fn find(&self, scoped: &str) -> Result<Option<Cursor>, HistoryError> {
        for table in self.tables.iter().rev() {
            if let Some(row) = table.get(scoped).map_err(storing)? {
                let (seq, epoch) = row.value();
                return Ok(Some(Cursor::new(Epoch::from_bits(epoch), seq)));
            }
        }
        Ok(None)
    }

    pub(super) fn insert(&mut self, scoped: &str, cursor: Cursor) -> Result<(), HistoryError> {
        if let Some(newest) = self.tables.last_mut() {
            newest.insert(scoped, (cursor.seq(), cursor.epoch().to_bits())).map_err(storing)?;
            self.added += 1;
        }
        Ok(())
    }
}

fn is_over(begun: u64, after: Duration, now: u64) -> bool {
    now.saturating_sub(begun) >= u64::try_from(after.as_millis()).unwrap_or(u64::MAX)
}
