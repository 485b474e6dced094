use std::{fmt, time::Duration};

#[cfg(doc)]
use super::Oversized;
use super::{DecodeError, Item, Limits, block::Block, open_line::OpenLine, step::Report};

/// Turns the bytes of an event stream into [`Item`]s, in chunks of any size.
///
/// The decoder does no I/O and has no clock. Bytes that are not UTF-8 become U+FFFD and are never an error. Memory
/// is bounded by [`Limits`], work is linear in the bytes. An event that the chunk contains in one piece is
/// borrowed from it, not copied. An event that is not finished when a connection ends is discarded, as the
/// standard requires: call [`reset`](Decoder::reset) before the next connection.
///
/// ```
/// use sse_core::decode::{Decoder, Item};
///
/// let mut decoder = Decoder::new();
/// let mut texts = Vec::new();
/// for chunk in [&b"id: 7\ndata: hel"[..], b"lo\n\nretry: 100\n"] {
///     let mut input = chunk;
///     while let Some(item) = decoder.decode(&mut input)? {
///         if let Item::Message(message) = item {
///             texts.push(message.data().to_owned());
///         }
///     }
/// }
/// assert_eq!(texts, ["hello"]);
/// assert_eq!(decoder.last_event_id(), "7");
/// # Ok::<(), sse_core::decode::DecodeError>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a decoder does nothing until it is fed"]
pub struct Decoder {
    pub(super) report: Report,
    /// Whether none of the next three fields needs a check.
    pub(super) is_settled: bool,
    /// The length of the byte order mark read so far; its full length once that is decided.
    pub(super) mark_len: usize,
    /// Whether the chunk ended with a CR, so that an LF at the start of the next one belongs to it.
    pub(super) is_after_cr: bool,
    pub(super) failed: Option<DecodeError>,
    /// Whether the last message may still be in the block, because the caller borrowed it.
    pub(super) is_lent: bool,
    pub(super) line: OpenLine,
    pub(super) block: Block,
    pub(super) last_event_id: String,
    pub(super) retry: Option<Duration>,
}

impl Decoder {
    /// Makes a decoder for a stream that is read from its start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a decoder that continues after the event with this id.
    ///
    /// Events without their own id have this one until the stream sets another, as in Chromium: the standard's
    /// last event id string belongs to the event source and outlives its connections.
    ///
    /// ```
    /// use sse_core::decode::{Decoder, Message};
    ///
    /// let mut decoder = Decoder::with_last_event_id("41");
    /// let messages: Vec<Message> = decoder.messages(&mut &b"data: x\n\n"[..]).collect::<Result<_, _>>()?;
    /// assert_eq!(messages[0].last_event_id(), "41");
    /// # Ok::<(), sse_core::decode::DecodeError>(())
    /// ```
    pub fn with_last_event_id(id: impl Into<String>) -> Self {
        Self { last_event_id: id.into(), ..Self::default() }
    }

    /// Sets the limits on the decoder's memory. The default is [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.block.set_limits(limits);
        self
    }

    /// Reports comments as [`Item::Comment`]. By default they are skipped.
    pub fn report_comments(mut self) -> Self {
        self.report.comments = true;
        self
    }

    /// Reports unknown fields as [`Item::Field`]. By default they are skipped, as the standard requires.
    pub fn report_fields(mut self) -> Self {
        self.report.fields = true;
        self
    }

    /// Returns the data of an event before its end, as [`Item::Part`], once `bytes` bytes are buffered.
    ///
    /// This way an event of any size is read in bounded memory. Its message then has the rest of the data, which
    /// may be empty, with the type and the id. Until the message is returned, the parts are not an event: discard
    /// them if the stream ends before. The [`Limits`] count the bytes in memory; leave room for `bytes` and a
    /// chunk. By default an event is returned whole.
    ///
    /// ```
    /// use sse_core::decode::{Decoder, Item};
    ///
    /// let mut decoder = Decoder::new().report_parts(16);
    /// let mut data = String::new();
    /// for chunk in ["data: 0123456789abcdef", "ghi\n\n"] {
    ///     let mut input = chunk.as_bytes();
    ///     while let Some(item) = decoder.decode(&mut input)? {
    ///         match item {
    ///             Item::Part(part) => data.push_str(part),
    ///             Item::Message(message) => data.push_str(message.data()),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// assert_eq!(data, "0123456789abcdefghi");
    /// # Ok::<(), sse_core::decode::DecodeError>(())
    /// ```
    pub fn report_parts(mut self, bytes: usize) -> Self {
        // An unfinished character is held back, and must not be a part by itself.
        self.report.parts = Some(bytes.max(8));
        self
    }

    /// Reads bytes from the front of `input` up to the next item, or all of them if they contain none.
    ///
    /// Call it until it returns `None`, then pass the next chunk. `input` is always the unread rest.
    ///
    /// # Errors
    /// [`DecodeError`] if an event exceeds the [`Limits`] and they are set to [`Oversized::Fail`]; then on every
    /// call until [`reset`](Decoder::reset).
    pub fn decode<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Item<'a>>, DecodeError> {
        match self.advance(input) {
            Ok(None) => Ok(self.part()),
            Ok(Some((step, read))) => Ok(Some(self.item(step, read))),
            Err(error) => {
                self.failed = Some(error);
                self.is_settled = false;
                Err(error)
            }
        }
    }

    /// Prepares the decoder for the next connection: discards the unfinished event, and an error.
    ///
    /// The last event id, the retry delay and the settings stay.
    pub fn reset(&mut self) {
        self.is_settled = false;
        self.mark_len = 0;
        self.is_after_cr = false;
        self.failed = None;
        self.line.forget();
        self.block.clear();
        self.is_lent = false;
    }

    /// Returns what a client sends as `Last-Event-ID` when it reconnects; a client sends no header if it is empty.
    ///
    /// The value changes at the end of an event, even of one without data. The id may contain characters that a
    /// header cannot.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Returns the last delay that the stream requested, if any. It may be any number of milliseconds.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Returns `true` if an event has begun and not ended, so that the end of the stream would cut it off.
    #[must_use]
    pub fn is_mid_event(&self) -> bool {
        self.line.is_of_event() || !(self.is_lent || self.block.is_empty())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("last_event_id", &self.last_event_id)
            .field("retry", &self.retry)
            .field("is_mid_event", &self.is_mid_event())
            .finish_non_exhaustive()
    }
}
