//! The fields between two blank lines, and the limits on them.

use std::{mem, ops::Range};

use super::{DecodeError, Limits, Oversized, field::Kind, scan::Fields, text::Text};

/// How many more bytes a line's value may have, and what it is when it has more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) left: usize,
    pub(super) error: DecodeError,
}

/// The block that is being read. Its fields are in the chunk as long as that is there, then in here.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) data: Text,
    pub(super) event_type: Text,
    pub(super) id: Vec<u8>,
    pub(super) has_data: bool,
    pub(super) has_id: bool,
    /// The first limit that the event exceeded; its data and type are dropped then.
    pub(super) skipped: Option<DecodeError>,
    limits: Limits,
    /// A block whose lines together are within this is within every limit but that of the id.
    harmless: usize,
    /// At least the length of its fields together.
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

    /// Whether nothing has been read that the end of the stream would lose.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_data && !self.has_id && self.event_type.len() == 0 && self.skipped.is_none()
    }

    /// Forgets the fields and keeps the buffers.
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

    /// Copies what is still in the chunk.
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

    /// Takes the value of a whole line.
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

    /// Whether a line is a field of an event and cannot have reached a limit.
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

    /// Only the id of an event that is skipped is kept.
    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.skipped.is_none() || !matches!(kind, Kind::Data | Kind::Type)
    }

    /// Whether a line is to be kept by the limits. All fields must be in here.
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
        // The event was too large, its id need not be.
        Ok(kind == Kind::Id && len <= self.room(kind, before).left)
    }

    /// The LF that joins another line of data.
    fn joint(&self, kind: Kind) -> usize {
        usize::from(kind == Kind::Data && self.has_data)
    }

    /// The room for a value, its joint included, by the tightest of the limits. All fields must be in here.
    pub(super) fn room(&self, kind: Kind, before: usize) -> Room {
        let Limits { line, event, id, .. } = self.limits;
        let left = line.saturating_sub(before) + self.joint(kind);
        let mut room = Room { left, error: DecodeError::LineTooLong { limit: line } };
        let others = match kind {
            Kind::Data => self.data.len() + self.event_type.len() + self.id.len(),
            Kind::Type => self.data.len() + self.id.len(),
            Kind::Id => self.data.len() + self.event_type.len(),
            // Nothing is kept of it but the number.
            Kind::Retry => return Room { left: usize::MAX, ..room },
            Kind::Comment | Kind::Other => return room,
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

    /// Fails, or drops the event. A comment or an unknown field does not belong to it, so only the line is dropped then.
    pub(super) fn exceed(&mut self, kind: Kind, error: DecodeError) -> Result<(), DecodeError> {
        if self.limits.oversized == Oversized::Fail {
            return Err(error);
        }
        if kind.is_of_event() {
            self.clear_event();
            self.skipped.get_or_insert(error);
            // None of its lines is harmless any more.
            self.len = usize::MAX;
        }
        Ok(())
    }

    /// Starts a line that comes in parts.
    pub(super) fn begin(&mut self, kind: Kind) {
        match kind {
            Kind::Data => self.has_data = true,
            Kind::Type => self.event_type.clear(),
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
        }
    }

    /// Takes a part of a value that there is room for.
    #[inline]
    pub(super) fn append(&mut self, kind: Kind, part: &[u8]) {
        self.len = self.len.saturating_add(part.len());
        match kind {
            Kind::Data => self.data.push(part),
            Kind::Type => self.event_type.push(part),
            Kind::Id | Kind::Retry | Kind::Comment | Kind::Other => {}
        }
    }

    /// Takes the whole of an id in exchange for the old one. The standard ignores an id with a NUL in it.
    pub(super) fn set_id(&mut self, id: &mut Vec<u8>) {
        self.len = self.len.saturating_add(id.len());
        if !id.contains(&0) {
            mem::swap(&mut self.id, id);
            self.has_id = true;
        }
    }
}
