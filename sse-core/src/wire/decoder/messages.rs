use std::iter::FusedIterator;

use super::{DecodeError, Decoder, Item};
use crate::wire::Message;

/// An iterator over the messages in one chunk; see [`Decoder::messages`].
#[derive(Debug)]
#[must_use = "the chunk is decoded as the messages are taken"]
pub struct Messages<'a, 'i> {
    decoder: &'a mut Decoder,
    input: &'a mut &'i [u8],
    failed: bool,
}

impl Iterator for Messages<'_, '_> {
    type Item = Result<Message, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The decoder repeats its error for ever, which would make the iterator endless.
        while !self.failed {
            match self.decoder.decode(self.input) {
                Ok(Some(Item::Message(message))) => return Some(Ok(message.into())),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl FusedIterator for Messages<'_, '_> {}

impl Decoder {
    /// Returns the messages in `input`, owned, until it is used up. Items of other kinds are skipped.
    ///
    /// ```
    /// use sse_core::decode::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let mut input = &b"data: a\n\ndata: b\n\ndata: not fini"[..];
    /// for message in decoder.messages(&mut input) {
    ///     println!("{}", message?.data());
    /// }
    /// assert!(input.is_empty() && decoder.is_mid_event());
    /// # Ok::<(), sse_core::decode::DecodeError>(())
    /// ```
    pub fn messages<'a, 'i>(&'a mut self, input: &'a mut &'i [u8]) -> Messages<'a, 'i> {
        Messages { decoder: self, input, failed: false }
    }
}
