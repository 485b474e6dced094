use std::{fmt, time::Duration};

use bytes::Bytes;

#[cfg(doc)]
use super::Event;
use super::{InvalidEvent, draft};

/// An encoded event: checked, immutable, cheap to clone. Only frames are written to a socket.
///
/// Encode once and send the same frame to all readers:
///
/// ```
/// use sse_core::{Event, Frame};
///
/// let frame = Frame::try_from(Event::message("hello"))?;
/// assert_eq!(frame.as_ref(), b"data: hello\n\n");
/// assert!(Frame::try_from(Event::message("hello").id("a\nb")).is_err());
/// # Ok::<(), sse_core::error::InvalidEvent>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    /// The last `retry` in the frame in milliseconds, 0 if there is none, or [`COMMENTS_ALONE`]. A single word,
    /// because a frame is moved right after it is made, and a load that follows several small stores must wait
    /// for them.
    retry: u64,
}

const COMMENTS_ALONE: u64 = u64::MAX;

impl Frame {
    /// Returns the encoded bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Makes a frame of a block of fields as a hub writes them, with its blank line. The `retry` is read from the
    /// lines, so it is known for lines from any source.
    pub(crate) fn block(bytes: Vec<u8>) -> Self {
        let retry = last_retry(&bytes);
        Self::shared(draft::into_bytes(bytes), retry)
    }

    /// Makes a frame of whole lines that are shared with others.
    #[inline]
    pub(crate) fn shared(bytes: Bytes, retry: Option<Duration>) -> Self {
        Self { bytes, retry: retry.map_or(0, millis) }
    }

    /// Makes a frame of comment lines. The connection writes a `retry` line before them: a block must not start
    /// with a comment.
    pub(crate) fn comments(bytes: Bytes) -> Self {
        Self { bytes, retry: COMMENTS_ALONE }
    }

    /// Returns the last `retry` of the frame.
    pub(crate) fn last_retry(&self) -> Option<Duration> {
        (!matches!(self.retry, 0 | COMMENTS_ALONE)).then(|| Duration::from_millis(self.retry))
    }

    pub(crate) fn is_comments_alone(&self) -> bool {
        self.retry == COMMENTS_ALONE
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// Returns the last `retry` among whole lines, each `name: value` and a line feed.
fn last_retry(lines: &[u8]) -> Option<Duration> {
    let value = |line: &[u8]| {
        let digits = std::str::from_utf8(line.strip_prefix(b"retry: ")?).ok()?;
        digits.parse().ok().map(Duration::from_millis)
    };
    let ends = memchr::memchr_iter(b'\n', lines);
    let mut start = 0;
    ends.filter_map(|end| value(lines.get(std::mem::replace(&mut start, end + 1)..end)?)).last()
}

fn millis(delay: Duration) -> u64 {
    u64::from(u32::try_from(delay.as_millis()).unwrap_or(u32::MAX))
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frame").field(&String::from_utf8_lossy(&self.bytes)).finish()
    }
}

/// A value that can be sent: an [`Event`], which is checked and encoded, or a [`Frame`], which is used unchanged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a server-sent event",
    label = "not an `Event` or a `Frame`",
    note = "make an event of it: `Event::message(text)` or `Event::json(value)`",
    note = "for a stream of `Result<Event, E>` use `Sse::try_new` instead of `Sse::new`"
)]
pub trait IntoFrame {
    /// Returns the encoded event, or the reason why it is not valid.
    ///
    /// # Errors
    /// [`InvalidEvent`], which states what to correct.
    fn into_frame(self) -> Result<Frame, InvalidEvent>;
}

impl IntoFrame for Frame {
    fn into_frame(self) -> Result<Frame, InvalidEvent> {
        Ok(self)
    }
}
