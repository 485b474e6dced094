//! What a read of the input found.

use std::{ops::Range, time::Duration};

use super::{
    DecodeError,
    field::{Fields, Kind},
};

/// The items that are reported only on request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Report {
    pub(super) comments: bool,
    pub(super) fields: bool,
    /// The number of bytes from which the data of an event is returned before its end.
    pub(super) parts: Option<usize>,
}

impl Report {
    /// Returns whether lines of this kind are kept.
    pub(super) fn wants(self, kind: Kind) -> bool {
        match kind {
            Kind::Data | Kind::Type | Kind::Id | Kind::Retry => true,
            Kind::Comment => self.comments,
            Kind::Other => self.fields,
        }
    }
}

/// An item without its borrowed text. A range is the position of the text in the chunk; without one it is in the
/// decoder.
pub(super) enum Step {
    Comment(Option<Range<usize>>),
    /// The whole line of an unknown field.
    Field(Option<Range<usize>>),
    Id,
    Message(Fields),
    Retry(Duration),
    Skipped(DecodeError),
}
