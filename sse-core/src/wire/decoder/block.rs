//! The fields between two blank lines, and the limits on them.

use std::mem;

use super::{DecodeError, Limits, Oversized, field::Kind, text::Text};

/// What the current call of the decoder has found in its chunk and not copied.
#[derive(Debug, Default)]
pub(super) struct Borrowed<'i> {
    pub(super) data: Option<&'i [u8]>,
    pub(super) event_type: Option<&'i [u8]>,
    pub(super) id: Option<&'i [u8]>,
    /// A comment's text, or the whole line of an unknown field.
    pub(super) line: Option<&'i [u8]>,
}

/// How many more bytes a line's value may have, and what it is when it has more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) left: usize,
    pub(super) error: DecodeError,
}

/// The block that is being read. Its fields are in `Borrowed` as long as one call sees them, then in here.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) limits: Limits,
    pub(super) data: Text,
    pub(super) event_type: Text,
    pub(super) id: Vec<u8>,
    pub(super) has_data: bool,
    pub(super) has_id: bool,
    /// The first limit that it exceeded; its data and type are gone then.
    pub(super) skipped: Option<DecodeError>,
    data_len: usize,
    type_len: usize,
    id_len: usize,
}

impl Block {
    /// Whether nothing has been read that the end of the stream would lose.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_data && !self.has_id && self.type_len == 0 && self.skipped.is_none()
    }

    /// Forgets the fields and keeps the buffers.
    pub(super) fn clear(&mut self) {
        self.clear_event();
        self.id.clear();
        self.id_len = 0;
        self.has_id = false;
        self.skipped = None;
    }

    fn clear_event(&mut self) {
        self.data.clear();
        self.event_type.clear();
        self.data_len = 0;
        self.type_len = 0;
        self.has_data = false;
    }

    /// Copies what is still in the chunk, because the call ends within the block.
    pub(super) fn keep(&mut self, borrowed: &mut Borrowed<'_>) {
        if let Some(data) = borrowed.data.take() {
            self.data.push(data);
        }
        if let Some(event_type) = borrowed.event_type.take() {
            self.event_type.clear();
            self.event_type.push(event_type);
        }
        if let Some(id) = borrowed.id.take() {
            self.id.clear();
            self.id.extend_from_slice(id);
        }
    }

    /// Takes a whole line that has `before` bytes in front of its value.
    pub(super) fn add<'i>(
        &mut self,
        kind: Kind,
        before: usize,
        value: &'i [u8],
        borrowed: &mut Borrowed<'i>,
    ) -> Result<(), DecodeError> {
        let admitted = self.admits(kind, before, value.len())?;
        if self.skipped.is_some() {
            borrowed.data = None;
            borrowed.event_type = None;
        }
        if !admitted {
            return Ok(());
        }
        match kind {
            Kind::Data if self.has_data => {
                if let Some(first) = borrowed.data.take() {
                    self.data.push(first);
                }
                self.data.push_byte(b'\n');
                self.data.push(value);
                self.data_len += 1 + value.len();
            }
            Kind::Data => {
                borrowed.data = Some(value);
                self.data_len = value.len();
                self.has_data = true;
            }
            Kind::Type => {
                borrowed.event_type = Some(value);
                self.type_len = value.len();
            }
            // The standard ignores an id with a NUL in it.
            Kind::Id if !value.contains(&0) => {
                borrowed.id = Some(value);
                self.id_len = value.len();
                self.has_id = true;
            }
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
        }
        Ok(())
    }

    /// Whether a value of `len` bytes is to be kept. Of an event that is skipped only the id is.
    pub(super) fn admits(&mut self, kind: Kind, before: usize, len: usize) -> Result<bool, DecodeError> {
        if self.skipped.is_some() && matches!(kind, Kind::Data | Kind::Type) {
            return Ok(false);
        }
        let len = len + self.joint(kind);
        let room = self.room(kind, before);
        if len <= room.left {
            return Ok(true);
        }
        self.exceed(kind, room.error)?;
        Ok(kind == Kind::Id && len <= self.room(kind, before).left)
    }

    /// The LF that joins another line of data.
    pub(super) fn joint(&self, kind: Kind) -> usize {
        usize::from(kind == Kind::Data && self.has_data)
    }

    /// The room for a value, its joint included, by the tightest of the limits.
    pub(super) fn room(&self, kind: Kind, before: usize) -> Room {
        let Limits { line, event, id, .. } = self.limits;
        let left = line.saturating_sub(before) + self.joint(kind);
        let mut room = Room { left, error: DecodeError::LineTooLong { limit: line } };
        let others = match kind {
            Kind::Data => self.data_len + self.type_len + self.id_len,
            Kind::Type => self.data_len + self.id_len,
            Kind::Id => self.data_len + self.type_len,
            Kind::Retry | Kind::Comment | Kind::Other => return room,
        };
        if kind == Kind::Id && id < room.left {
            room = Room { left: id, error: DecodeError::IdTooLong { limit: id } };
        }
        // A skipped event has no data and no type left to add up.
        let left = event.saturating_sub(others);
        if self.skipped.is_none() && left < room.left {
            room = Room { left, error: DecodeError::EventTooLarge { limit: event } };
        }
        room
    }

    /// Fails, or drops the event. A comment or an unknown field is no part of it, so only the line is dropped then.
    pub(super) fn exceed(&mut self, kind: Kind, error: DecodeError) -> Result<(), DecodeError> {
        if self.limits.oversized == Oversized::Fail {
            return Err(error);
        }
        if let Kind::Data | Kind::Type | Kind::Id = kind {
            self.clear_event();
            self.skipped.get_or_insert(error);
        }
        Ok(())
    }

    /// The old type, if any, is replaced by a line that comes in parts.
    pub(super) fn begin_type(&mut self) {
        self.event_type.clear();
        self.type_len = 0;
    }

    /// Takes a part of a value that has been admitted.
    pub(super) fn append(&mut self, kind: Kind, part: &[u8]) {
        match kind {
            Kind::Data => {
                self.data.push(part);
                self.data_len += part.len();
            }
            Kind::Type => {
                self.event_type.push(part);
                self.type_len += part.len();
            }
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
        }
    }

    /// Takes the whole of an id in exchange for the old one. The standard ignores an id with a NUL in it.
    pub(super) fn set_id(&mut self, id: &mut Vec<u8>) {
        if !id.contains(&0) {
            mem::swap(&mut self.id, id);
            self.id_len = self.id.len();
            self.has_id = true;
        }
    }
}
