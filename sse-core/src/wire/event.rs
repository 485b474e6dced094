#[cfg(feature = "json")]
use std::sync::Arc;
use std::{fmt, time::Duration};

use memchr::memchr2;

use super::{
    Frame, IntoEventId, IntoFrame, InvalidEvent,
    draft::Draft,
    event_type,
    retry::{limited, write_retry},
    write_lines,
};

/// A builder for one event of a server.
///
/// An invalid id or type does not fail in the chain: the error is kept, and [`Frame::try_from`], a channel's
/// `send` or a hub's `publish` returns it as [`InvalidEvent`]. So an `Event` may be wrong, and a [`Frame`] cannot.
/// Fields are written in the order of the calls, each as `name: value`; where a client keeps only one (id, type,
/// retry), the last call wins, and each call of [`data`](Event::data) adds lines.
///
/// ```
/// use sse_core::{Event, Frame};
///
/// let frame = Frame::try_from(Event::message("first\nsecond").event("note").id(7))?;
/// assert_eq!(frame.as_ref(), b"data: first\ndata: second\nevent: note\nid: 7\n\n");
/// # Ok::<(), sse_core::error::InvalidEvent>(())
/// ```
#[derive(Clone)]
#[must_use = "an event is sent by yielding it, by `send` or by `publish`"]
pub struct Event(Box<Draft>);

/// The prefix of the types that only a hub may use.
const RESERVED_TYPES: &str = "sse.";

const DATA: &[u8] = b"data: ";

impl Event {
    /// Makes an event with this text as its data. CR, LF and CRLF each end a line, and reach the client as LF.
    pub fn message(data: impl AsRef<str>) -> Self {
        Self::default().data(data)
    }

    /// Makes an event with `value` as JSON in its data.
    ///
    /// If the value cannot be serialized, the builder keeps the error like any other.
    ///
    /// ```
    /// use sse_core::{Event, Frame};
    ///
    /// let frame = Frame::try_from(Event::json([1, 2]).event("pair"))?;
    /// assert_eq!(frame.as_ref(), b"data: [1,2]\nevent: pair\n\n");
    /// # Ok::<(), sse_core::error::InvalidEvent>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize>(value: T) -> Self {
        match Self::default().json_data(value) {
            Ok(event) => event,
            Err(error) => {
                let mut event = Self::default();
                event.fail(error);
                event
            }
        }
    }

    /// Adds `text` as lines of data; an empty text is one empty line.
    pub fn data(mut self, text: impl AsRef<str>) -> Self {
        self.write_data(text.as_ref());
        self
    }

    /// Adds each text of `lines` as data, like one call of [`data`](Event::data) for each.
    ///
    /// ```
    /// use sse_core::{Event, Frame};
    ///
    /// let frame = Frame::try_from(Event::default().data_lines(["a", "b"]))?;
    /// assert_eq!(frame.as_ref(), b"data: a\ndata: b\n\n");
    /// # Ok::<(), sse_core::error::InvalidEvent>(())
    /// ```
    pub fn data_lines(self, lines: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        lines.into_iter().fold(self, Event::data)
    }

    /// Adds `value` as JSON data.
    ///
    /// Unlike [`Event::json`] this method returns the error at once, as the frameworks' own builders do.
    ///
    /// # Errors
    /// [`InvalidEvent::Json`] if the value cannot be serialized.
    #[cfg(feature = "json")]
    pub fn json_data<T: serde::Serialize>(self, value: T) -> Result<Self, InvalidEvent> {
        // A `RawValue` may contain line breaks, so the text is split like any other data.
        match serde_json::to_string(&value) {
            Ok(text) => Ok(self.data(text)),
            Err(error) => Err(InvalidEvent::Json(Arc::new(error))),
        }
    }

    /// Sets the type under which page code listens for the event; see [`EventType`](super::EventType) for the
    /// allowed text.
    pub fn event(mut self, event_type: impl AsRef<str>) -> Self {
        self.write_type(event_type.as_ref());
        self
    }

    /// Sets the id that the client sends back as `Last-Event-ID`; see [`EventId`](super::EventId) for the allowed
    /// text.
    ///
    /// A hub sets the ids of the events that it publishes, and rejects an event that has one.
    ///
    /// Call this last: fields are written in the order of the calls, and npm's `fetch-event-source` applies an id
    /// before the event has ended, so it skips an event whose connection breaks after its id.
    pub fn id(mut self, id: impl IntoEventId) -> Self {
        let draft = &mut *self.0;
        let start = draft.fields.len();
        draft.make_room(0);
        draft.fields.extend_from_slice(b"id: ");
        match id.write_id(&mut draft.fields) {
            Ok(()) => {
                draft.fields.push(b'\n');
                draft.has_id = true;
            }
            Err(error) => {
                draft.fields.truncate(start);
                self.fail(InvalidEvent::Id(error));
            }
        }
        self
    }

    /// Makes the client forget its last event id, by sending the empty id.
    pub fn reset_id(self) -> Self {
        self.id("")
    }

    /// Sets how long the client waits before it reconnects, in whole milliseconds.
    ///
    /// Clients apply the value at once and keep it for the connections that follow. The limits are 500 ms and 1 h:
    /// a delay outside them is replaced by the nearest limit, and the first such delay is logged as a warning.
    /// With a smaller delay Chromium and WebKit reconnect in a tight loop.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sse_core::{Event, Frame};
    ///
    /// let frame = Frame::try_from(Event::message("soon").retry(Duration::from_millis(100)))?;
    /// assert_eq!(frame.as_ref(), b"data: soon\nretry: 500\n\n");
    /// # Ok::<(), sse_core::error::InvalidEvent>(())
    /// ```
    #[track_caller]
    pub fn retry(mut self, delay: Duration) -> Self {
        let delay = limited(delay);
        write_retry(&mut self.0.fields, delay);
        self.0.retry = Some(delay);
        self
    }

    /// Adds `text` as comment lines, which clients ignore.
    ///
    /// Comments are written after the fields, because some clients drop an event whose block starts with a
    /// comment.
    pub fn comment(mut self, text: impl AsRef<str>) -> Self {
        write_lines(&mut self.0.comments, b": ", text.as_ref());
        self
    }

    /// Returns whether the event has its own id.
    pub(crate) fn has_id(&self) -> bool {
        self.0.has_id
    }

    /// Returns whether the type is reserved for hubs.
    pub(crate) fn is_reserved(&self) -> bool {
        self.0.is_reserved
    }

    /// Returns whether the event has data; clients do not dispatch an event without data.
    pub(crate) fn has_data(&self) -> bool {
        self.0.has_data
    }

    /// Returns the checked lines without the blank line that ends them.
    pub(crate) fn into_lines(self) -> Result<Vec<u8>, InvalidEvent> {
        Ok(self.checked()?.into_lines())
    }

    /// Returns the draft with its comments after its fields, if it can be sent.
    fn checked(mut self) -> Result<Box<Draft>, InvalidEvent> {
        let draft = &mut *self.0;
        if let Some(error) = draft.error.take() {
            return Err(error);
        }
        if draft.has_type && !draft.has_data {
            return Err(InvalidEvent::NoData);
        }
        if draft.fields.is_empty() && draft.comments.is_empty() {
            return Err(InvalidEvent::Empty);
        }
        if !draft.comments.is_empty() {
            draft.fields.extend_from_slice(&draft.comments);
        }
        Ok(self.0)
    }

    /// Makes a frame of an event without data, with comments or with an error.
    #[cold]
    fn into_unusual_frame(self) -> Result<Frame, InvalidEvent> {
        let is_block = self.is_block();
        let comments_alone = self.0.fields.is_empty();
        let mut draft = self.checked()?;
        if is_block {
            draft.fields.push(b'\n');
        }
        let retry = draft.retry;
        let bytes = draft.into_bytes();
        Ok(if comments_alone { Frame::comments(bytes) } else { Frame::shared(bytes, retry) })
    }

    /// Returns whether the lines are a block that a blank line must end. A lone `retry` or comment is not: for
    /// some clients each blank line is an event.
    fn is_block(&self) -> bool {
        self.0.has_data || self.0.has_id
    }

    #[cfg(feature = "serde")]
    pub(super) fn raw(&self) -> (&[u8], &[u8], Option<&InvalidEvent>) {
        (&self.0.fields, &self.0.comments, self.0.error.as_ref())
    }

    #[inline]
    fn write_data(&mut self, text: &str) {
        let draft = &mut *self.0;
        draft.has_data = true;
        if memchr2(b'\r', b'\n', text.as_bytes()).is_some() {
            draft.make_room(text.len());
            return write_lines(&mut draft.fields, DATA, text);
        }
        draft.make_room_for_line(DATA.len() + text.len() + b"\n".len());
        draft.fields.extend_from_slice(DATA);
        draft.fields.extend_from_slice(text.as_bytes());
        draft.fields.push(b'\n');
    }

    #[inline]
    fn write_type(&mut self, text: &str) {
        match event_type::check(text) {
            Ok(()) => {
                let draft = &mut *self.0;
                draft.make_room(text.len());
                draft.fields.extend_from_slice(b"event: ");
                draft.fields.extend_from_slice(text.as_bytes());
                draft.fields.push(b'\n');
                draft.has_type = true;
                draft.is_reserved = text.starts_with(RESERVED_TYPES);
            }
            Err(error) => self.fail(InvalidEvent::Type(error)),
        }
    }

    fn fail(&mut self, error: InvalidEvent) {
        self.0.error.get_or_insert(error);
    }
}

impl Default for Event {
    fn default() -> Self {
        Self(Draft::take())
    }
}

impl TryFrom<Event> for Frame {
    type Error = InvalidEvent;

    #[inline(always)]
    fn try_from(event: Event) -> Result<Self, InvalidEvent> {
        if !event.0.is_plain() {
            return event.into_unusual_frame();
        }
        let mut draft = event.0;
        draft.fields.push(b'\n');
        let retry = draft.retry;
        Ok(Self::shared(draft.into_bytes(), retry))
    }
}

impl IntoFrame for Event {
    fn into_frame(self) -> Result<Frame, InvalidEvent> {
        self.try_into()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.0.fields);
        f.debug_struct("Event").field("fields", &text).field("error", &self.0.error).finish_non_exhaustive()
    }
}
