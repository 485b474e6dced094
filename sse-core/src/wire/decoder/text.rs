//! Bytes that become text once they are complete.

use std::{mem, str};

/// So much of a buffer is kept for the next event; a larger one is given back.
const KEPT_CAPACITY: usize = 64 * 1024;

/// A buffer that is filled with bytes, then read as text.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    text: String,
}

impl Text {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn push_byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn clear(&mut self) {
        if self.text.capacity() > self.bytes.capacity() {
            // The buffer went into the text without a copy, and comes back the same way.
            self.bytes = mem::take(&mut self.text).into_bytes();
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }

    /// The text of `borrowed`, or else of what was pushed; it stands until the next `clear`.
    ///
    /// What is not UTF-8 becomes U+FFFD, as the Encoding standard's decoder does it. Line by line this equals decoding
    /// the whole stream, because no line end, colon or space can be a part of a longer sequence.
    pub(super) fn read<'a>(&'a mut self, borrowed: Option<&'a [u8]>) -> &'a str {
        match borrowed.map(|bytes| (str::from_utf8(bytes), bytes)) {
            Some((Ok(text), _)) => return text,
            Some((Err(_), bytes)) => self.text = String::from_utf8_lossy(bytes).into_owned(),
            None => self.text = into_text(mem::take(&mut self.bytes)),
        }
        &self.text
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
