use super::{Subscription, subscription::short};
use crate::resume::Cursor;

impl Subscription {
    /// Where a reader that stops here goes on; nothing while that is not known, such as within a state that is sent.
    pub(crate) fn place(&mut self) -> Option<Cursor> {
        if self.is_loading() || self.has_frames() || self.has_backfill() {
            return None;
        }
        if let Some(checkpoint) = self.next_checkpoint() {
            return checkpoint.cursor();
        }
        self.cursor_at(self.told?)
    }

    /// The cursor of a position at which this reader is or was; `None` if the history was rewritten since it last looked,
    /// because the position may be that of another record now.
    pub(super) fn cursor_at(&self, seq: u64) -> Option<Cursor> {
        let state = self.hub.window().lock();
        (short(state.epochs.rows().len()) == self.version).then(|| state.cursor_at(seq))
    }

    /// The cursor of the newest position, likewise.
    pub(super) fn newest(&self) -> Option<Cursor> {
        let state = self.hub.window().lock();
        (short(state.epochs.rows().len()) == self.version).then(|| state.cursor_at(state.head()))
    }
}
