//! From bytes to messages, as section 9.2.6 of the HTML standard says.

use std::{fmt, mem, time::Duration};

mod block;
mod field;
mod item;
mod limits;
mod messages;
mod open_line;
mod text;

pub use item::{Item, MessageRef};
pub use limits::{DecodeError, Limits, Oversized};
pub use messages::Messages;

use block::{Block, Borrowed};
use field::{Kind, line_end, split};
use open_line::OpenLine;

const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// Turns the bytes of an event stream into [`Item`]s, in whatever chunks they come.
///
/// It does no I/O and has no clock. Bytes that are not UTF-8 become U+FFFD; no bytes are an error. Memory is bounded by
/// [`Limits`], work is linear in the bytes. An event that the chunk has in one piece is borrowed from it, not copied.
/// An event that is not finished when a connection ends is discarded, as the standard wants it: call
/// [`reset`](Decoder::reset) before the next connection.
///
/// ```
/// use sse_core::{Decoder, Item};
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
/// # Ok::<(), sse_core::DecodeError>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a decoder does nothing until it is fed"]
pub struct Decoder {
    report: Report,
    /// How much of a byte order mark the stream began with; all of it once that is decided.
    mark_len: usize,
    /// The chunk ended with a CR, so that an LF at the start of the next one belongs to it.
    is_after_cr: bool,
    failed: Option<DecodeError>,
    line: OpenLine,
    block: Block,
    /// The last message may still be in the block, because the caller was lent it.
    is_lent: bool,
    last_event_id: String,
    retry: Option<Duration>,
}

/// What is reported on request only.
#[derive(Debug, Clone, Copy, Default)]
struct Report {
    comments: bool,
    fields: bool,
}

/// An item without what it borrows.
#[derive(Debug, Clone, Copy)]
enum Step {
    Comment,
    Field,
    Id,
    Message,
    Retry(Duration),
    Skipped(DecodeError),
}

impl Decoder {
    /// A decoder for a stream that is read from its start.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder that goes on after the event with this id.
    ///
    /// Events without an id of their own have this one until the stream sets another, as in Chromium: the standard's
    /// last event id string belongs to the event source and outlives its connections.
    ///
    /// ```
    /// use sse_core::{Decoder, Message};
    ///
    /// let mut decoder = Decoder::with_last_event_id("41");
    /// let messages: Vec<Message> = decoder.messages(&mut &b"data: x\n\n"[..]).collect::<Result<_, _>>()?;
    /// assert_eq!(messages[0].last_event_id(), "41");
    /// # Ok::<(), sse_core::DecodeError>(())
    /// ```
    pub fn with_last_event_id(id: impl Into<String>) -> Self {
        Self { last_event_id: id.into(), ..Self::default() }
    }

    /// Sets how much it keeps in memory. The default is [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.block.limits = limits;
        self
    }

    /// Reports comments as [`Item::Comment`]. By default they are passed over.
    pub fn report_comments(mut self) -> Self {
        self.report.comments = true;
        self
    }

    /// Reports unknown fields as [`Item::Field`]. By default they are passed over, as the standard wants it.
    pub fn report_fields(mut self) -> Self {
        self.report.fields = true;
        self
    }

    /// Takes bytes from the front of `input` up to the next item, or all of them if they hold none.
    ///
    /// Call it until it returns `None`, then give it the next chunk. `input` always is what has not been read.
    ///
    /// # Errors
    /// [`DecodeError`] if an event is beyond the [`Limits`] and they say [`Oversized::Fail`]; then for every call until
    /// [`reset`](Decoder::reset).
    pub fn decode<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Item<'a>>, DecodeError> {
        let mut borrowed = Borrowed::default();
        let step = match self.advance(input, &mut borrowed) {
            Ok(Some(step)) => step,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.failed = Some(error);
                return Err(error);
            }
        };
        Ok(Some(match step {
            Step::Comment => Item::Comment(self.line.text.read(borrowed.line)),
            Step::Field => {
                let line = self.line.text.read(borrowed.line);
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                Item::Field { name, value: value.strip_prefix(' ').unwrap_or(value) }
            }
            Step::Id => Item::Id(&self.last_event_id),
            Step::Message => Item::Message(MessageRef {
                event_type: match self.block.event_type.read(borrowed.event_type) {
                    "" => "message",
                    event_type => event_type,
                },
                data: self.block.data.read(borrowed.data),
                last_event_id: &self.last_event_id,
            }),
            Step::Retry(delay) => Item::Retry(delay),
            Step::Skipped(error) => Item::Skipped { error, last_event_id: &self.last_event_id },
        }))
    }

    /// The messages in `input`, owned, until it is used up. Items of other kinds are passed over.
    ///
    /// ```
    /// use sse_core::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut input = &b"data: a\n\ndata: b\n\ndata: not fini"[..];
    /// let texts: Vec<_> = decoder.messages(&mut input).map(|message| Ok(message?.into_data())).collect::<Result<_, _>>()?;
    /// assert_eq!(texts, ["a", "b"]);
    /// # Ok::<(), sse_core::DecodeError>(())
    /// ```
    pub fn messages<'a, 'i>(&'a mut self, input: &'a mut &'i [u8]) -> Messages<'a, 'i> {
        Messages::new(self, input)
    }

    /// Makes it ready for the next connection: forgets the unfinished event, and an error.
    ///
    /// The last event id and the retry delay stay, and so do the settings.
    pub fn reset(&mut self) {
        self.mark_len = 0;
        self.is_after_cr = false;
        self.failed = None;
        self.line.forget();
        self.block.clear();
        self.is_lent = false;
    }

    /// What a client sends as `Last-Event-ID` when it reconnects; nothing if it is empty.
    ///
    /// It changes where an event ends, even one without data. It may hold characters that a header cannot.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The last delay that the stream asked for, if any. It may be any number of milliseconds.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Whether an event has begun and not ended, so that the end of the stream would cut it off.
    #[must_use]
    pub fn is_mid_event(&self) -> bool {
        self.line.is_of_event() || !(self.is_lent || self.block.is_empty())
    }

    fn advance<'i>(
        &mut self,
        input: &mut &'i [u8],
        borrowed: &mut Borrowed<'i>,
    ) -> Result<Option<Step>, DecodeError> {
        self.begin(input)?;
        while !input.is_empty() {
            let Some(end) = line_end(input) else {
                self.block.keep(borrowed);
                self.line.push(mem::take(input), &mut self.block, self.report)?;
                return Ok(None);
            };
            let line = self.take_line(input, end);
            let step = if self.line.is_open() {
                self.line.push(line, &mut self.block, self.report)?;
                self.end_line()?
            } else if line.is_empty() {
                self.end_block(borrowed)
            } else {
                self.whole_line(line, borrowed)?
            };
            match step {
                None => {}
                Some(Step::Message) => return Ok(step),
                Some(_) => {
                    self.block.keep(borrowed);
                    return Ok(step);
                }
            }
        }
        self.block.keep(borrowed);
        Ok(None)
    }

    /// Settles what the calls before have left.
    fn begin(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if mem::take(&mut self.is_lent) {
            self.block.clear();
        }
        while let Some(expected) = BYTE_ORDER_MARK.get(self.mark_len) {
            match input.split_first() {
                None => return Ok(()),
                Some((byte, rest)) if byte == expected => {
                    self.mark_len += 1;
                    *input = rest;
                }
                // Not a mark after all, so what looked like one is the start of the first line.
                Some(_) => {
                    let line = &BYTE_ORDER_MARK[..mem::replace(&mut self.mark_len, BYTE_ORDER_MARK.len())];
                    if !line.is_empty() {
                        self.line.push(line, &mut self.block, self.report)?;
                    }
                }
            }
        }
        if self.is_after_cr && !input.is_empty() {
            self.is_after_cr = false;
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        Ok(())
    }

    /// Takes the line up to `end` and the CR, LF or CRLF behind it.
    fn take_line<'i>(&mut self, input: &mut &'i [u8], end: usize) -> &'i [u8] {
        let (line, rest) = input.split_at(end);
        *input = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [b'\r'] => {
                self.is_after_cr = true;
                &[]
            }
            [_, rest @ ..] => rest,
            [] => rest,
        };
        line
    }

    fn whole_line<'i>(
        &mut self,
        line: &'i [u8],
        borrowed: &mut Borrowed<'i>,
    ) -> Result<Option<Step>, DecodeError> {
        let (kind, value) = split(line);
        let before = line.len() - value.len();
        match kind {
            Kind::Data | Kind::Type | Kind::Id => {
                self.block.add(kind, before, value, borrowed)?;
                Ok(None)
            }
            Kind::Retry => {
                let mut digits = field::Digits::default();
                digits.push(value);
                Ok(self.apply(digits.delay().map(Step::Retry)))
            }
            Kind::Comment if self.report.comments && self.block.admits(kind, before, value.len())? => {
                borrowed.line = Some(value);
                Ok(Some(Step::Comment))
            }
            Kind::Other if self.report.fields && self.block.admits(kind, before, value.len())? => {
                borrowed.line = Some(value);
                Ok(Some(Step::Field))
            }
            Kind::Comment | Kind::Other => Ok(None),
        }
    }

    /// Ends a line that began in an earlier chunk.
    fn end_line(&mut self) -> Result<Option<Step>, DecodeError> {
        let Some((head, len)) = self.line.take_short() else {
            let step = self.line.end(&mut self.block);
            return Ok(self.apply(step));
        };
        let mut borrowed = Borrowed::default();
        let step = self.whole_line(&head[..len], &mut borrowed)?;
        self.block.keep(&mut borrowed);
        if let Some(line) = borrowed.line {
            self.line.text.clear();
            self.line.text.push(line);
        }
        Ok(step)
    }

    /// A delay holds from its own line on.
    fn apply(&mut self, step: Option<Step>) -> Option<Step> {
        if let Some(Step::Retry(delay)) = step {
            self.retry = Some(delay);
        }
        step
    }

    fn end_block(&mut self, borrowed: &mut Borrowed<'_>) -> Option<Step> {
        let Block { has_data, has_id, skipped, .. } = self.block;
        if has_id {
            let id = borrowed.id.unwrap_or(&self.block.id);
            self.last_event_id.clear();
            match std::str::from_utf8(id) {
                Ok(id) => self.last_event_id.push_str(id),
                Err(_) => self.last_event_id.push_str(&String::from_utf8_lossy(id)),
            }
        }
        if has_data && skipped.is_none() {
            self.is_lent = true;
            return Some(Step::Message);
        }
        self.block.clear();
        *borrowed = Borrowed::default();
        skipped.map(Step::Skipped).or(has_id.then_some(Step::Id))
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
