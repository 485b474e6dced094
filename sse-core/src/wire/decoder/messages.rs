use std::iter::FusedIterator;

use super::{DecodeError, Decoder, Item};
use crate::wire::Message;

/// The messages in one chunk; see [`Decoder::messages`].
#[derive(Debug)]
#[must_use = "the chunk is decoded as the messages are taken"]
pub struct Messages<'a, 'i> {
    decoder: &'a mut Decoder,
    input: &'a mut &'i [u8],
    failed: bool,
}

impl<'a, 'i> Messages<'a, 'i> {
    pub(super) fn new(decoder: &'a mut Decoder, input: &'a mut &'i [u8]) -> Self {
        Self { decoder, input, failed: false }
    }
}

impl Iterator for Messages<'_, '_> {
    type Item = Result<Message, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The decoder repeats its error for ever, which would make an endless iterator.
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
