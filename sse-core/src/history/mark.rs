//! The newest position that this process has seen, so that a server without it is detected.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::resume::{Cursor, Epoch};

/// The number of earlier epochs remembered: no answer can be late by more epochs than this.
const EARLIER: usize = 64;

/// The newest position that any query has returned or that the tail has read.
///
/// Every append and look compares it with the server's: a former primary that was never demoted, a restored copy
/// and an emptied server do not have it, and begin a new epoch.
#[derive(Debug, Default)]
pub(crate) struct Mark(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    newest: Option<Cursor>,
    earlier: VecDeque<Epoch>,
}

impl Mark {
    /// Returns the newest position.
    pub(crate) fn newest(&self) -> Option<Cursor> {
        self.lock().newest
    }

    /// Returns the newest position as text, empty if there is none.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn text(&self) -> String {
        self.newest().map_or_else(String::new, |newest| format!("{} {}", newest.epoch(), newest.seq()))
    }

    /// Moves forward to a position that a query has returned. A late answer does not move it back.
    pub(crate) fn returned(&self, place: Cursor) {
        let mut state = self.lock();
        let known = state.newest.map(Cursor::epoch);
        if known == Some(place.epoch()) {
            state.newest = state.newest.max_by_seq(place);
        } else if !state.earlier.contains(&place.epoch()) {
            state.earlier.extend(known);
            if state.earlier.len() > EARLIER {
                state.earlier.pop_front();
            }
            state.newest = Some(place);
        }
    }

    /// Moves forward to a record that the tail has read. The record may be of any epoch; only those of the newest
    /// one count.
    pub(crate) fn read(&self, place: Cursor) {
        let mut state = self.lock();
        if state.newest.is_some_and(|newest| newest.epoch() == place.epoch()) {
            state.newest = state.newest.max_by_seq(place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

trait MaxBySeq {
    fn max_by_seq(self, other: Cursor) -> Self;
}

impl MaxBySeq for Option<Cursor> {
    fn max_by_seq(self, other: Cursor) -> Self {
        Some(self.filter(|newest| newest.seq() > other.seq()).unwrap_or(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Mark;
    use crate::resume::{Cursor, Epoch};

    #[test]
    fn an_answer_that_comes_late_does_not_move_it_back() {
        let mark = Mark::default();
        assert_eq!(mark.text(), "");
        let place = |epoch, seq| Cursor::new(Epoch::from_bits(epoch), seq);
        let places = [(1, 5), (1, 3), (2, 4), (1, 9), (2, 2)];
        let texts = places.map(|(epoch, seq)| {
            mark.returned(place(epoch, seq));
            mark.text()
        });
        let text = |epoch, seq| format!("{epoch:016x} {seq}");
        assert_eq!(texts, [text(1, 5), text(1, 5), text(2, 4), text(2, 4), text(2, 4)]);
        mark.read(place(1, 70));
        mark.read(place(2, 6));
        assert_eq!(mark.text(), text(2, 6));
    }
}
