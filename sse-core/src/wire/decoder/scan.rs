//! Scans the lines that most streams consist of.

use std::ops::Range;

use super::{
    block::Block,
    field::{Fields, Kind, line_break, split, split_line},
};

/// The result of [`Block::scan`].
pub(super) struct Scanned {
    /// The number of bytes that were read.
    pub(super) at: usize,
    pub(super) stop: Stop,
}

/// The reason why [`Block::scan`] stopped.
pub(super) enum Stop {
    /// A blank line was read. The fields that need no copy are here, the others in the block.
    Blank(Fields),
    /// A line needs a closer look.
    Line { kind: Kind, len: usize, value: Range<usize> },
    /// The rest is not a whole line.
    Unfinished,
}

impl Block {
    /// Reads whole lines, as long as they are fields of an event within the limits.
    ///
    /// The state is kept in local variables meanwhile: an access to memory for each line would cost more than the
    /// search for its end.
    #[inline]
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut fields = Fields::default();
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.first() == Some(&b'\n') {
                return Scanned { at: at + 1, stop: Stop::Blank(fields) };
            }
            let Some((line, rest)) = split_line(rest) else {
                self.keep(&fields, bytes);
                return Scanned { at, stop: Stop::Unfinished };
            };
            let end = at + line.len();
            at = end + line_break(rest);
            if line.is_empty() {
                return Scanned { at, stop: Stop::Blank(fields) };
            }
            let (kind, value) = split(line);
            let range = end - value.len()..end;
            if !self.is_harmless(kind, line.len(), value.len()) {
                self.keep(&fields, bytes);
                return Scanned { at, stop: Stop::Line { kind, len: line.len(), value: range } };
            }
            match kind {
                Kind::Data if self.has_data => {
                    if let Some(first) = fields.data.take().and_then(|first| bytes.get(first)) {
                        self.data.push(first);
                    }
                    self.data.push_line(value);
                }
                Kind::Data => {
                    self.has_data = true;
                    fields.data = Some(range);
                }
                Kind::Type => fields.event_type = Some(range),
                // The standard ignores an id with a NUL in it.
                Kind::Id if !value.contains(&0) => {
                    self.has_id = true;
                    fields.id = Some(range);
                }
                Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
            }
        }
    }
}
