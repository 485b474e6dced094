//! Bytes that become text once they are complete.

use std::{borrow::Cow, mem};

/// So much of a buffer is kept for the next event; a larger one is given back.
const KEPT_CAPACITY: usize = 64 * 1024;

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
            // A stream that comes byte by byte; copying one by a call of `memcpy` costs several times as much.
            [byte] => self.bytes.push(*byte),
            bytes => self.bytes.extend_from_slice(bytes),
        }
    }

    /// Adds a line to the one before.
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
            // The buffer went into the text without a copy, and comes back the same way.
            self.bytes = mem::take(&mut self.text).into_bytes();
        }
        self.text.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }

    /// The text of `borrowed`, or else of what was pushed; it stands until the next `clear`.
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
}

/// What is not UTF-8 becomes U+FFFD; see [`Chunk::text`](super::chunk::Chunk::text).
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
