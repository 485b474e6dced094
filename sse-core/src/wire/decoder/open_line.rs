//! A line that arrives in more than one chunk.

use std::mem;

use super::{
    DecodeError,
    block::{Block, Room},
    field::{Digits, HEAD, Kind, split},
    step::{Report, Step},
    text::Text,
};

/// A line whose end has not arrived yet. Bytes that certainly belong to a value go straight to its buffer.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenLine {
    state: State,
    /// The first bytes of the line, until its kind is known.
    head: [u8; HEAD],
    head_len: usize,
    /// The number of those bytes before the value.
    before: usize,
    digits: Digits,
    /// The id so far; it is valid only when it is complete.
    id: Vec<u8>,
    /// A comment's text, or the whole line of an unknown field.
    pub(super) text: Text,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Closed,
    Head,
    Value(Kind, Room),
    /// A line without a limit that is not kept.
    Ignored,
}

impl OpenLine {
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// Returns whether the line may belong to an event.
    pub(super) fn is_of_event(&self) -> bool {
        match self.state {
            State::Closed | State::Ignored => false,
            // While its kind is unknown, the first letter decides: that of `data`, `event` or `id`.
            State::Head => matches!(self.head, [b'd' | b'e' | b'i', ..]),
            State::Value(kind, _) => kind.is_of_event(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.state = State::Closed;
    }

    /// Reads the next bytes of the line.
    #[inline]
    pub(super) fn push(&mut self, part: &[u8], block: &mut Block, report: Report) -> Result<(), DecodeError> {
        match self.state {
            State::Value(..) => self.append(part, block),
            State::Closed | State::Head => self.push_head(part, block, report),
            State::Ignored => Ok(()),
        }
    }

    fn push_head(&mut self, part: &[u8], block: &mut Block, report: Report) -> Result<(), DecodeError> {
        if let State::Closed = self.state {
            self.state = State::Head;
            self.head_len = 0;
        }
        let (now, later) = part.split_at(part.len().min(HEAD - self.head_len));
        for (place, byte) in self.head.iter_mut().skip(self.head_len).zip(now) {
            *place = *byte;
        }
        self.head_len += now.len();
        if self.head_len < HEAD {
            return Ok(());
        }
        self.begin(block, report)?;
        self.append(later, block)
    }

    fn begin(&mut self, block: &mut Block, report: Report) -> Result<(), DecodeError> {
        let head = self.head;
        let (kind, value) = split(&head);
        if !report.wants(kind) || !block.wants(kind) {
            self.state = State::Ignored;
            return Ok(());
        }
        self.before = HEAD - value.len();
        self.state = State::Value(kind, block.room(kind, self.before));
        match kind {
            Kind::Data if block.has_data => self.append(b"\n", block)?,
            Kind::Data | Kind::Type => block.begin(kind),
            Kind::Id => self.id.clear(),
            Kind::Retry => self.digits = Digits::default(),
            Kind::Comment | Kind::Other => self.text.clear(),
        }
        self.append(value, block)
    }

    #[inline]
    fn append(&mut self, part: &[u8], block: &mut Block) -> Result<(), DecodeError> {
        let State::Value(kind, room) = &mut self.state else { return Ok(()) };
        if part.len() > room.left {
            return self.exceed(part, block);
        }
        room.left -= part.len();
        match kind {
            Kind::Data | Kind::Type => block.append(*kind, part),
            Kind::Id => self.id.extend_from_slice(part),
            Kind::Retry => self.digits.push(part),
            Kind::Comment | Kind::Other => self.text.push(part),
        }
        Ok(())
    }

    #[cold]
    fn exceed(&mut self, part: &[u8], block: &mut Block) -> Result<(), DecodeError> {
        let State::Value(kind, room) = mem::take(&mut self.state) else { return Ok(()) };
        block.exceed(kind, room.error)?;
        self.state = State::Ignored;
        let room = block.room(kind, self.before);
        match room.left.checked_sub(self.id.len()) {
            // The event was too large, but its id may still fit.
            Some(left) if kind == Kind::Id && part.len() <= left => {
                self.state = State::Value(kind, Room { left, ..room });
                self.append(part, block)
            }
            _ => Ok(()),
        }
    }

    /// Restores the room of a line of data to that at its start: the data read so far has left the block.
    pub(super) fn make_room(&mut self, block: &Block) {
        if let State::Value(Kind::Data, room) = &mut self.state {
            *room = block.room(Kind::Data, self.before);
        }
    }

    /// Returns the line, if it ended before its kind was known.
    pub(super) fn take_short(&mut self) -> Option<([u8; HEAD], usize)> {
        let State::Head = self.state else { return None };
        self.state = State::Closed;
        Some((self.head, self.head_len))
    }

    /// Ends the line.
    pub(super) fn end(&mut self, block: &mut Block) -> Option<Step> {
        match mem::take(&mut self.state) {
            State::Value(Kind::Id, _) => block.set_id(&mut self.id),
            State::Value(Kind::Retry, _) => return self.digits.delay().map(Step::Retry),
            State::Value(Kind::Comment, _) => return Some(Step::Comment(None)),
            State::Value(Kind::Other, _) => return Some(Step::Field(None)),
            State::Value(Kind::Data | Kind::Type, _) | State::Closed | State::Head | State::Ignored => {}
        }
        None
    }
}
