//! The records that this process has reported to its readers, so that a server that lost one of them is detected.

use std::collections::VecDeque;

use crate::resume::{Epoch, EpochTable};

/// The number of the newest records of which each is remembered.
const NEWEST: usize = 8_192;

/// One record in this many is remembered, of those before.
const STEP: u64 = 256;

/// The number of those that are remembered.
const OLDER: usize = 8_192;

/// A reported record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) seq: u64,
    pub(super) check: u32,
    /// The epoch under which it was reported.
    pub(super) epoch: Epoch,
}

/// Each of the newest reported records, and some of about two million records before them: enough to find, in a
/// few requests, the last one that the server still has.
#[derive(Debug, Default)]
pub(super) struct DeliveredMarks {
    older: VecDeque<Mark>,
    newest: VecDeque<Mark>,
    /// The highest acknowledged position since the newest epoch began.
    acked: u64,
}

impl DeliveredMarks {
    /// Remembers a record; a different record at its position is replaced, together with all after it.
    pub(super) fn push(&mut self, mark: Mark) {
        match self.last() {
            Some(last) if mark.seq <= last.seq => {
                let known = self.newest.iter().find(|known| known.seq == mark.seq);
                if known.is_some_and(|known| known.check == mark.check) {
                    return;
                }
                self.truncate(mark.seq);
            }
            Some(last) if mark.seq > last.seq + 1 => self.newest.clear(),
            _ => {}
        }
        self.newest.push_back(mark);
        if self.newest.len() > NEWEST
            && let Some(old) = self.newest.pop_front()
            && old.seq % STEP == 0
        {
            self.older.push_back(old);
            if self.older.len() > OLDER {
                self.older.pop_front();
            }
        }
    }

    /// Remembers the position of an acknowledged append.
    pub(super) fn acked(&mut self, seq: u64) {
        self.acked = self.acked.max(seq);
    }

    /// Returns the highest position that this process knows to be in use.
    pub(super) fn newest(&self) -> u64 {
        self.last().map_or(0, |last| last.seq).max(self.acked)
    }

    /// Forgets the records that a later epoch replaced.
    pub(super) fn drop_replaced(&mut self, epochs: &EpochTable) {
        let begins = epochs.rows().last().map_or(0, |row| row.begins);
        self.acked = self.acked.min(begins.saturating_sub(1));
        let stands =
            |mark: &Mark| !matches!(epochs.fork_after(mark.epoch), Some(Some(fork)) if fork <= mark.seq);
        self.newest.retain(stands);
        self.older.retain(stands);
    }

    pub(super) fn last(&self) -> Option<Mark> {
        self.newest.back().or(self.older.back()).copied()
    }

    /// Returns the newest record up to a position.
    pub(super) fn last_up_to(&self, position: u64) -> Option<Mark> {
        let mut newest_first = self.newest.iter().rev().chain(self.older.iter().rev());
        newest_first.find(|mark| mark.seq <= position).copied()
    }

    /// Returns all records up to a position, in order.
    pub(super) fn marks_up_to(&self, position: u64) -> Vec<Mark> {
        let all = self.older.iter().chain(&self.newest);
        all.take_while(|mark| mark.seq <= position).copied().collect()
    }

    fn truncate(&mut self, from: u64) {
        self.newest.retain(|mark| mark.seq < from);
        self.older.retain(|mark| mark.seq < from);
    }
}
