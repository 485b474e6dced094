//! The fields between two blank lines, and the limits on them.

use std::{mem, ops::Range};

use super::{
    DecodeError, Limits, Oversized,
    field::{Fields, Kind},
    text::Text,
};

/// The number of bytes that a line's value may still have, and the error if it has more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) left: usize,
    pub(super) error: DecodeError,
}

/// The current block. Its fields are in the chunk while that is available, then in this struct.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) data: Text,
    pub(super) event_type: Text,
    pub(super) id: Vec<u8>,
    pub(super) has_data: bool,
    pub(super) has_id: bool,
    /// The first limit that the event exceeded; its data and type are then dropped.
    pub(super) skipped: Option<DecodeError>,
    limits: Limits,
    /// A block whose lines together are at most this long is within every limit except that of the id.
    harmless: usize,
    /// An upper bound for the length of all fields together.
    len: usize,
}

impl Default for Block {
    fn default() -> Self {
        let mut block = Self {
            data: Text::default(),
            event_type: Text::default(),
            id: Vec::new(),
            has_data: false,
            has_id: false,
            skipped: None,
            limits: Limits::default(),
            harmless: 0,
            len: 0,
        };
        block.set_limits(Limits::default());
        block
    }
}

impl Block {
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.harmless = limits.line.min(limits.event);
    }

    /// Returns whether the end of the stream would lose nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_data && !self.has_id && self.event_type.len() == 0 && self.skipped.is_none()
    }

    /// Clears the fields and keeps the buffers.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.clear_event();
        self.id.clear();
        self.has_id = false;
        self.skipped = None;
        self.len = 0;
    }

    #[inline]
    fn clear_event(&mut self) {
        self.data.clear();
        self.event_type.clear();
        self.has_data = false;
    }

    /// Copies the fields that are still in the chunk.
    pub(super) fn keep(&mut self, fields: &Fields, chunk: &[u8]) {
        let part = |range: &Option<Range<usize>>| range.clone().and_then(|range| chunk.get(range));
        if let Some(data) = part(&fields.data) {
            self.data.push(data);
        }
        if let Some(event_type) = part(&fields.event_type) {
            self.event_type.clear();
            self.event_type.push(event_type);
        }
        if let Some(id) = part(&fields.id) {
            self.id.clear();
            self.id.extend_from_slice(id);
        }
    }

    /// Stores the value of a whole line.
    pub(super) fn put(&mut self, kind: Kind, value: &[u8]) {
        match kind {
            Kind::Data if self.has_data => self.data.push_line(value),
            Kind::Data => {
                self.has_data = true;
                self.data.push(value);
            }
            Kind::Type => {
                self.event_type.clear();
                self.event_type.push(value);
            }
            // The standard ignores an id with a NUL in it.
            Kind::Id if !value.contains(&0) => {
                self.has_id = true;
                self.id.clear();
                self.id.extend_from_slice(value);
            }
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
        }
    }

    /// Returns whether a line is a field of an event and cannot have reached a limit.
    #[inline]
    pub(super) fn is_harmless(&mut self, kind: Kind, line_len: usize, value_len: usize) -> bool {
        let room = match kind {
            Kind::Data | Kind::Type => self.harmless,
            Kind::Id if value_len <= self.limits.id => self.harmless,
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => return false,
        };
        let len = self.len.saturating_add(line_len);
        let is_harmless = len <= room;
        if is_harmless {
            self.len = len;
        }
        is_harmless
    }

    /// Returns whether a field is kept: of a skipped event only the id is.
    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.skipped.is_none() || !matches!(kind, Kind::Data | Kind::Type)
    }

    /// Returns whether the limits allow a line. All fields must be in this block.
    #[cold]
    pub(super) fn admits(
        &mut self,
        kind: Kind,
        line_len: usize,
        value_len: usize,
    ) -> Result<bool, DecodeError> {
        if !self.wants(kind) {
            return Ok(false);
        }
        let before = line_len - value_len;
        let len = value_len + self.joint(kind);
        let room = self.room(kind, before);
        if len <= room.left {
            self.len = self.len.saturating_add(line_len);
            return Ok(true);
        }
        self.exceed(kind, room.error)?;
        // The event was too large, but its id may still fit.
        Ok(kind == Kind::Id && len <= self.room(kind, before).left)
    }

    /// Returns the length of the LF that joins another line of data.
    fn joint(&self, kind: Kind) -> usize {
        usize::from(kind == Kind::Data && self.has_data)
    }

    /// Returns the room for a value, with its joint, by the tightest of the limits. All fields must be in this
    /// block.
    pub(super) fn room(&self, kind: Kind, before: usize) -> Room {
        let Limits { line, event, id, .. } = self.limits;
        let left = line.saturating_sub(before) + self.joint(kind);
        let mut room = Room { left, error: DecodeError::LineTooLong { limit: line } };
        let others = match kind {
            Kind::Data => self.data.len() + self.event_type.len() + self.id.len(),
            Kind::Type => self.data.len() + self.id.len(),
            Kind::Id => self.data.len() + self.event_type.len(),
            // Only the number of this line is kept.
            Kind::Retry => return Room { left: usize::MAX, ..room },
            Kind::Comment | Kind::Other => return room,
        };
        if kind == Kind::Id && id < room.left {
            room = Room { left: id, error: DecodeError::IdTooLong { limit: id } };
        }
        // A skipped event has no data and no type to count.
        let left = event.saturating_sub(others);
        if self.skipped.is_none() && left < room.left {
            room = Room { left, error: DecodeError::EventTooLarge { limit: event } };
        }
        room
    }

    /// Fails, or drops the event. A comment or an unknown field does not belong to the event, so only the line is
    /// dropped.
    pub(super) fn exceed(&mut self, kind: Kind, error: DecodeError) -> Result<(), DecodeError> {
        if self.limits.oversized == Oversized::Fail {
            return Err(error);
        }
        if kind.is_of_event() {
            self.clear_event();
            self.skipped.get_or_insert(error);
            // No further line counts as harmless.
            self.len = usize::MAX;
        }
        Ok(())
    }

    /// Starts a line that arrives in parts.
    pub(super) fn begin(&mut self, kind: Kind) {
        match kind {
            Kind::Data => self.has_data = true,
            Kind::Type => self.event_type.clear(),
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
        }
    }

    /// Appends a part of a value that fits into the room.
    #[inline]
    pub(super) fn append(&mut self, kind: Kind, part: &[u8]) {
        self.len = self.len.saturating_add(part.len());
        match kind {
            Kind::Data => self.data.push(part),
            Kind::Type => self.event_type.push(part),
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
        }
    }

    /// Replaces the id with a whole new one. The standard ignores an id with a NUL in it.
    pub(super) fn set_id(&mut self, id: &mut Vec<u8>) {
        self.len = self.len.saturating_add(id.len());
        if !id.contains(&0) {
            mem::swap(&mut self.id, id);
            self.has_id = true;
        }
    }
}
