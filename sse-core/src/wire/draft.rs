//! An event under construction.
//!
//! Each thread keeps one draft and reuses it: the bytes of a frame, which windows keep and readers share, are
//! allocated at their exact size, and that is then the only allocation. The draft is boxed, so that the builder's
//! methods only pass a pointer.

use std::{cell::Cell, mem, time::Duration};

use bytes::Bytes;

use super::InvalidEvent;

/// The length above which single-line data gets its own buffer at once: copying it from the thread's buffer would
/// cost more than an allocation.
const LONG: usize = 2 << 10;

/// The capacity of the largest buffer that a thread keeps.
const KEPT: usize = 16 << 10;

/// The room for a type, an id and the blank line after the data, so that most events are written without growing
/// the buffer.
const ROOM: usize = 80;

thread_local! {
    static SPARE: Cell<Option<Box<Draft>>> = const { Cell::new(None) };
}

/// The fields written so far.
#[derive(Clone, Default)]
pub(super) struct Draft {
    pub(super) fields: Vec<u8>,
    pub(super) comments: Vec<u8>,
    pub(super) retry: Option<Duration>,
    pub(super) has_data: bool,
    pub(super) has_id: bool,
    pub(super) has_type: bool,
    pub(super) is_reserved: bool,
    pub(super) error: Option<InvalidEvent>,
    /// The thread's buffer while the event uses its own buffer for `fields`.
    spare: Vec<u8>,
}

impl Draft {
    /// Returns the thread's draft, or a new one while an earlier event still uses it.
    #[inline]
    pub(super) fn take() -> Box<Self> {
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Makes room for `len` bytes and a type, an id and the blank line.
    #[inline]
    pub(super) fn make_room(&mut self, len: usize) {
        self.fields.reserve(len + ROOM);
    }

    /// As [`make_room`](Draft::make_room), for a line of this length that only the blank line may follow.
    #[inline]
    pub(super) fn make_room_for_line(&mut self, len: usize) {
        if len <= LONG || !self.fields.is_empty() {
            self.make_room(len);
        } else {
            self.spare = mem::replace(&mut self.fields, Vec::with_capacity(len + b"\n".len()));
        }
    }

    /// Returns whether the draft has data, no comments and no error.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.has_data && self.comments.is_empty() && self.error.is_none()
    }

    /// Returns the written bytes, for a frame.
    #[inline]
    pub(super) fn into_bytes(self: Box<Self>) -> Bytes {
        if is_worth_keeping(&self.fields) {
            return self.into_lines().into();
        }
        self.copied().into()
    }

    /// Returns a copy at its exact size; a boxed slice is returned in registers, so the frame is built at its
    /// final place.
    fn copied(self: Box<Self>) -> Box<[u8]> {
        let copy = self.fields.as_slice().into();
        self.keep();
        copy
    }

    /// Returns the lines themselves, to be extended.
    pub(super) fn into_lines(mut self: Box<Self>) -> Vec<u8> {
        let lines = mem::take(&mut self.fields);
        self.keep();
        lines
    }

    /// Keeps the draft for the thread's next event.
    fn keep(mut self: Box<Self>) {
        let Self { fields, comments, retry, has_data, has_id, has_type, is_reserved, error, spare } =
            &mut *self;
        if spare.capacity() > 0 {
            *fields = mem::take(spare);
        }
        for buffer in [fields, comments] {
            buffer.clear();
            buffer.shrink_to(KEPT);
        }
        *retry = None;
        (*has_data, *has_id, *has_type, *is_reserved) = (false, false, false, false);
        *error = None;
        // An ending thread keeps nothing.
        let _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }
}

/// Returns the lines as shared bytes, without spare capacity.
pub(super) fn into_bytes(lines: Vec<u8>) -> Bytes {
    if is_worth_keeping(&lines) {
        return lines.into();
    }
    let bytes = Bytes::copy_from_slice(&lines);
    if lines.capacity() <= KEPT {
        // A draft whose lines were taken needs a buffer again.
        let _ = SPARE.try_with(|spare| {
            let mut draft = spare.take().unwrap_or_default();
            if draft.fields.capacity() < lines.capacity() {
                draft.fields = lines;
                draft.fields.clear();
            }
            spare.set(Some(draft));
        });
    }
    bytes
}

/// Returns whether a buffer is shared without a copy: it has no spare capacity, or too little to be worth one.
#[inline]
fn is_worth_keeping(lines: &Vec<u8>) -> bool {
    let spare = lines.capacity() - lines.len();
    spare == 0 || (lines.len() > LONG && spare < lines.len() / 8)
}
