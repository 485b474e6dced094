use std::{error, fmt};

use super::field::HEAD;

/// The limits on the memory of a [`Decoder`](super::Decoder), and its behaviour for an event beyond them.
///
/// All limits count bytes as received. A value exactly as long as its limit passes; one byte more does not, even
/// if its line has not ended yet. Lines that are not kept have no limit: `retry`, and comments and unknown fields
/// unless they are requested. The standard has no limits; the defaults are generous.
///
/// ```
/// use sse_core::decode::{Decoder, Limits, Oversized};
///
/// let limits = Limits::default().event(64 * 1024).oversized(Oversized::Skip);
/// let decoder = Decoder::new().limits(limits);
/// # let _ = decoder;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "limits do nothing until a decoder gets them"]
pub struct Limits {
    pub(super) line: usize,
    pub(super) event: usize,
    pub(super) id: usize,
    pub(super) oversized: Oversized,
}

impl Default for Limits {
    /// 16 MiB for a line, 16 MiB for an event, 8 KiB for an id; beyond them the decoder fails.
    ///
    /// A longer id could not be sent back: common servers refuse request headers above 8 KiB.
    fn default() -> Self {
        let mebibyte = 1024 * 1024;
        Self { line: 16 * mebibyte, event: 16 * mebibyte, id: 8 * 1024, oversized: Oversized::Fail }
    }
}

impl Limits {
    /// Sets the maximum length of a line, with its field name and without its line end; at least 7 bytes.
    pub fn line(mut self, bytes: usize) -> Self {
        self.line = bytes.max(HEAD);
        self
    }

    /// Sets the maximum size of an event in bytes: its data with the line breaks in it, its type and its id
    /// together.
    pub fn event(mut self, bytes: usize) -> Self {
        self.event = bytes;
        self
    }

    /// Sets the maximum length of an id in bytes.
    pub fn id(mut self, bytes: usize) -> Self {
        self.id = bytes;
        self
    }

    /// Sets the behaviour for an event beyond a limit. The default is [`Oversized::Fail`].
    pub fn oversized(mut self, oversized: Oversized) -> Self {
        self.oversized = oversized;
        self
    }
}

/// The behaviour of a [`Decoder`](super::Decoder) for an event beyond its [`Limits`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Oversized {
    /// Fails with a [`DecodeError`], and again on every call until the decoder is reset.
    #[default]
    Fail,
    /// Leaves the event out, reports it as [`Item::Skipped`](super::Item::Skipped) at its end, and continues.
    ///
    /// If a comment or an unknown field is beyond the limit, only that line is left out.
    Skip,
}

/// The limit of the [`Limits`] that an event exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The data, type and id of an event together. Raise [`Limits::event`] or skip such events.
    EventTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The id of an event. Raise [`Limits::id`] or skip such events.
    IdTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line of an event. Raise [`Limits::line`] or skip such events.
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, limit, setting) = match self {
            Self::EventTooLarge { limit } => ("an event's data, type and id", limit, "event"),
            Self::IdTooLong { limit } => ("an event's id", limit, "id"),
            Self::LineTooLong { limit } => ("a line", limit, "line"),
        };
        write!(f, "event stream: {what} beyond {limit} bytes; raise `Limits::{setting}` or skip such events")
    }
}

impl error::Error for DecodeError {}
