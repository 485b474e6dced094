//! Bytes that become text: those of one chunk, and those collected from several.

use std::{borrow::Cow, mem, ops::Range, str};

/// The capacity of a buffer that is kept for the next event; a larger one is shrunk to this.
const KEPT_CAPACITY: usize = 64 * 1024;

/// From this length on a vectorised check of UTF-8 is faster.
const LONG: usize = 256;

/// A buffer that is filled with bytes, then read as text.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    text: String,
}

impl Text {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match bytes {
            // The stream arrives byte by byte; copying one byte with `memcpy` costs several times as much.
            [byte] => self.bytes.push(*byte),
            bytes => self.bytes.extend_from_slice(bytes),
        }
    }

    /// Appends a line to the one before.
    pub(super) fn push_line(&mut self, line: &[u8]) {
        self.bytes.reserve(1 + line.len());
        self.bytes.push(b'\n');
        self.bytes.extend_from_slice(line);
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        if !(self.bytes.is_empty() && self.text.is_empty()) {
            self.recycle();
        }
    }

    fn recycle(&mut self) {
        if self.text.capacity() > self.bytes.capacity() {
            // The buffer was moved into the text without a copy, and is moved back the same way.
            self.bytes = mem::take(&mut self.text).into_bytes();
        }
        self.text.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }

    /// Returns the text of `borrowed`, or else of what was pushed; valid until the next `clear`.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, as in [`Read::text`].
    #[inline]
    pub(super) fn read<'a>(&'a mut self, borrowed: Option<Cow<'a, str>>) -> &'a str {
        match borrowed {
            Some(Cow::Borrowed(text)) => return text,
            Some(Cow::Owned(text)) => self.text = text,
            None if self.bytes.is_empty() => return "",
            None => self.text = into_text(mem::take(&mut self.bytes)),
        }
        &self.text
    }

    /// Sets aside the complete characters, and keeps the first bytes of an incomplete one.
    pub(super) fn set_apart(&mut self) {
        let len = self.bytes.len() - unfinished(&self.bytes);
        let rest = self.bytes.split_off(len);
        self.text = into_text(mem::replace(&mut self.bytes, rest));
    }

    /// Returns the text that was set aside.
    pub(super) fn apart(&self) -> &str {
        &self.text
    }
}

/// Returns the number of bytes at the end that begin an incomplete character.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = bytes.iter().rev().take(3).enumerate();
    for (at, byte) in tail {
        let needed = match byte {
            0b1100_0000..=0b1101_1111 => 2,
            0b1110_0000..=0b1110_1111 => 3,
            0b1111_0000..=0b1111_1111 => 4,
            0b1000_0000..=0b1011_1111 => continue,
            _ => 1,
        };
        return if at + 1 < needed { at + 1 } else { 0 };
    }
    0
}

/// Bytes of a chunk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Read<'i> {
    bytes: &'i [u8],
    /// The whole text, if the bytes have been checked and are UTF-8.
    text: Option<&'i str>,
}

impl<'i> Read<'i> {
    pub(super) fn new(bytes: &'i [u8]) -> Self {
        Self { bytes, text: None }
    }

    /// Checks all bytes at once. If most of them are in fields, this is cheaper than field by field.
    pub(super) fn checked(bytes: &'i [u8]) -> Self {
        // The vectorised check pays off only for longer chunks.
        let text = if bytes.len() < LONG {
            str::from_utf8(bytes).ok()
        } else {
            simdutf8::basic::from_utf8(bytes).ok()
        };
        Self { bytes, text }
    }

    /// Returns a field as text. Bytes that are not UTF-8 become U+FFFD, as in the Encoding standard's decoder.
    ///
    /// Decoding field by field gives the same result as decoding the whole stream, because a line end, colon or
    /// space cannot be part of a longer sequence.
    #[inline]
    pub(super) fn text(&self, range: &Range<usize>) -> Cow<'i, str> {
        match self.text.and_then(|text| text.get(range.clone())) {
            Some(text) => Cow::Borrowed(text),
            None => lossy(self.bytes.get(range.clone()).unwrap_or_default()),
        }
    }
}

#[cold]
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
