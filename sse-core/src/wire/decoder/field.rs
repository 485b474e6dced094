//! Splits one line of the stream (section 9.2.6 of the HTML standard).

use std::{ops::Range, time::Duration};

use memchr::memchr2;

/// The positions of a block's fields in the chunk, while they need not be copied.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) data: Option<Range<usize>>,
    pub(super) event_type: Option<Range<usize>>,
    pub(super) id: Option<Range<usize>>,
}

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Type,
    Id,
    Retry,
    Comment,
    /// A field that the standard does not know.
    Other,
}

impl Kind {
    #[inline]
    pub(super) fn is_of_event(self) -> bool {
        matches!(self, Self::Data | Self::Type | Self::Id)
    }
}

/// The number of bytes of a line that decide its kind and the start of its value: the longest known name, its
/// colon and a space.
pub(super) const HEAD: usize = b"retry: ".len();

/// Returns a line's kind and value. The value of a comment is its text; that of an unknown field is the whole
/// line.
pub(super) fn split(line: &[u8]) -> (Kind, &[u8]) {
    let (kind, rest) = match line {
        [b'd', b'a', b't', b'a', rest @ ..] => (Kind::Data, rest),
        [b'i', b'd', rest @ ..] => (Kind::Id, rest),
        [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Kind::Type, rest),
        [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Kind::Retry, rest),
        [b':', ..] => (Kind::Comment, line),
        _ => return (Kind::Other, line),
    };
    match rest {
        [] => (kind, rest),
        [b':', b' ', value @ ..] | [b':', value @ ..] => (kind, value),
        _ => (Kind::Other, line),
    }
}

/// Returns where the first line ends, if the input contains its CR or LF.
#[inline]
pub(super) fn line_end(bytes: &[u8]) -> Option<usize> {
    let (near, far) = bytes.split_at(bytes.len().min(NEAR));
    let end = match near_line_end(near) {
        None if !far.is_empty() => memchr2(b'\n', b'\r', far).map(|end| near.len() + end),
        end => end,
    };
    #[cfg(test)]
    SEARCHED.set(SEARCHED.get() + end.map_or(bytes.len(), |end| end + 1));
    end
}

#[cfg(test)]
thread_local! {
    /// The number of bytes that [`line_end`] has looked at.
    pub(super) static SEARCHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns the first line, and the rest from its CR or LF on, if the input contains that.
#[inline]
pub(super) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(line_end(bytes)?)
}

/// Returns the length of the CR, LF or CRLF at the start of `bytes`. A CR at the end counts as one byte: the
/// decoder does not wait for the LF.
#[inline]
pub(super) fn line_break(bytes: &[u8]) -> usize {
    // A predictable branch, so that the search for the next line need not wait for this byte.
    if bytes.first() == Some(&b'\n') { 1 } else { line_break_with_cr(bytes) }
}

#[cold]
fn line_break_with_cr(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") { 2 } else { 1 }
}

/// The distance within which most lines end. Beyond it, `memchr2` is faster because of its wider registers.
const NEAR: usize = 128;

/// An inlined search. `memchr2` checks the features of the CPU at run time, which costs more than a short line.
#[inline]
fn near_line_end(bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = memchr::arch::x86_64::sse2::memchr::Two::new(b'\n', b'\r') {
        return finder.find(bytes);
    }
    memchr2(b'\n', b'\r', bytes)
}

/// The number of a `retry` line, parsed as it arrives: leading zeros may fill any number of chunks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Digits {
    /// An empty value is not a number, and neither is a value with a byte other than a digit.
    state: Number,
    millis: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Number {
    #[default]
    Empty,
    Valid,
    Invalid,
}

impl Digits {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !byte.is_ascii_digit() || self.state == Number::Invalid {
                self.state = Number::Invalid;
                return;
            }
            self.state = Number::Valid;
            self.millis = self.millis.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
        }
    }

    pub(super) fn delay(self) -> Option<Duration> {
        (self.state == Number::Valid).then(|| Duration::from_millis(self.millis))
    }
}
