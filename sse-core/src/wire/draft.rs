//! An event while it is being written.
//!
//! Each thread keeps one draft and uses it again: a frame's bytes, which windows keep and readers share, are allocated at
//! their exact size, and that is then the only allocation. It is boxed, so that the builder's methods pass a pointer on.

use std::{cell::Cell, mem, time::Duration};

use bytes::Bytes;

use super::InvalidEvent;

/// Data longer than this that is a single line gets a buffer of its own at once: copying it from the thread's would cost
/// more than an allocation.
const LONG: usize = 2 << 10;

/// The largest buffer that a thread keeps.
const KEPT: usize = 16 << 10;

/// Room for a type, an id and the blank line behind the data, so that most events are written without growing.
const ROOM: usize = 80;

thread_local! {
    static SPARE: Cell<Option<Box<Draft>>> = const { Cell::new(None) };
}

/// The fields of an event so far.
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
    /// The thread's buffer while `fields` is one of the event's own.
    spare: Vec<u8>,
}

impl Draft {
    /// The thread's draft, or a new one while an earlier event still has it.
    #[inline]
    pub(super) fn take() -> Box<Self> {
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Makes room for `len` bytes and a type, an id and the blank line.
    #[inline]
    pub(super) fn make_room(&mut self, len: usize) {
        self.fields.reserve(len + ROOM);
    }

    /// As [`make_room`](Draft::make_room), for a line of this length that nothing but the blank line may follow.
    #[inline]
    pub(super) fn make_room_for_line(&mut self, len: usize) {
        if len <= LONG || !self.fields.is_empty() {
            self.make_room(len);
        } else {
            self.spare = mem::replace(&mut self.fields, Vec::with_capacity(len + b"\n".len()));
        }
    }

    /// Whether it has data, and neither comments nor a mistake.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.has_data && self.comments.is_empty() && self.error.is_none()
    }

    /// The bytes of what was written, for a frame.
    #[inline]
    pub(super) fn into_bytes(self: Box<Self>) -> Bytes {
        if is_worth_keeping(&self.fields) {
            return self.into_lines().into();
        }
        self.copied().into()
    }

    /// A copy at its exact size; it comes back in registers, and so the frame is made where its owner wants it.
    fn copied(self: Box<Self>) -> Box<[u8]> {
        let copy = self.fields.as_slice().into();
        self.keep();
        copy
    }

    /// The lines themselves, to be added to.
    pub(super) fn into_lines(mut self: Box<Self>) -> Vec<u8> {
        let lines = mem::take(&mut self.fields);
        self.keep();
        lines
    }

    /// Leaves it to the thread's next event.
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
        // A thread that is ending keeps nothing.
        let _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }
}

/// Lines as bytes to be shared, without spare capacity.
pub(super) fn into_bytes(lines: Vec<u8>) -> Bytes {
    if is_worth_keeping(&lines) {
        return lines.into();
    }
    let bytes = Bytes::copy_from_slice(&lines);
    if lines.capacity() <= KEPT {
        // A draft whose lines were taken needs others.
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

/// Whether a buffer is shared as it is: it has no room to spare, or too little to be worth a copy.
#[inline]
fn is_worth_keeping(lines: &Vec<u8>) -> bool {
    let spare = lines.capacity() - lines.len();
    spare == 0 || (lines.len() > LONG && spare < lines.len() / 8)
}
