use super::{Subscription, subscription::short};
use crate::resume::Cursor;

impl Subscription {
    /// Where a reader that stops here goes on; nothing while that is not known, such as within a state that is told.
    pub(crate) fn place(&mut self) -> Option<Cursor> {
        if self.is_loading() || !self.ahead.is_empty() {
            return None;
        }
        if let Some(checkpoint) = self.next_checkpoint() {
            return checkpoint.cursor();
        }
        let told = self.told?;
        let state = self.hub.window().lock();
        // A fork since the last look would make it another place.
        (short(state.epochs.rows().len()) == self.version).then(|| state.cursor_at(told))
    }
}
