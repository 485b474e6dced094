//! What has been read of a chunk, and where the fields are in it.

use std::{borrow::Cow, ops::Range, str};

/// Where the fields of a block are, as far as they need not be copied.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) data: Option<Range<usize>>,
    pub(super) event_type: Option<Range<usize>>,
    pub(super) id: Option<Range<usize>>,
}

/// Bytes of a chunk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Read<'i> {
    bytes: &'i [u8],
    /// All of them, if they are UTF-8.
    text: Option<&'i str>,
}

impl<'i> Read<'i> {
    /// Checks them all at once, which is cheaper than field by field.
    pub(super) fn new(bytes: &'i [u8]) -> Self {
        Self { bytes, text: str::from_utf8(bytes).ok() }
    }

    /// A field as text. What is not UTF-8 becomes U+FFFD, as the Encoding standard's decoder does it.
    ///
    /// Field by field this equals decoding the whole stream, because no line end, colon or space can be a part of a
    /// longer sequence.
    #[inline]
    pub(super) fn text(&self, range: &Range<usize>) -> Cow<'i, str> {
        match self.text.and_then(|text| text.get(range.clone())) {
            Some(text) => Cow::Borrowed(text),
            None => String::from_utf8_lossy(self.bytes.get(range.clone()).unwrap_or_default()),
        }
    }
}
