use bytes::Bytes;

use crate::response::source::Source;

/// Converts an event stream to the bytes that are sent: compressed, or in another form.
pub(in crate::response) trait Encoding: Send {
    /// Prepares the source before each poll.
    fn before_poll(&mut self, _: &mut Source) {}

    /// Encodes bytes that were just taken from the source, or that are for this reader alone.
    fn encode(&mut self, source: &mut Source, plain: Bytes) -> Bytes;

    /// Encodes the last bytes, if there are any to send.
    fn finish(&mut self, plain: Option<Bytes>) -> Option<Bytes>;
}
