//! Events as JSON, for clients that cannot read event streams.

use bytes::Bytes;

use crate::{
    hub::json_string,
    response::{source::Source, stream::Encoding},
    wire::{Decoder, Item, Limits, MessageRef},
};

/// Converts an event stream to JSON lines: an event becomes `{"type":"…","data":"…","lastEventId":"…"}`, a
/// reconnect delay becomes `{"retry":N}`.
pub(in crate::response) struct JsonLines {
    events: Events,
}

/// Decodes this crate's own frames, of any size.
pub(super) struct Events(Decoder);

/// An item of a stream that becomes a line.
pub(super) enum JsonLine<'a> {
    Event(MessageRef<'a>),
    /// The last event id alone.
    Id(&'a str),
    /// The reconnect delay in milliseconds.
    Retry(u64),
}

impl JsonLines {
    pub(in crate::response) fn new() -> Self {
        Self { events: Events::new() }
    }

    /// Returns these bytes as JSON lines.
    fn lines(&mut self, bytes: &Bytes) -> Bytes {
        let mut lines = String::with_capacity(bytes.len() + bytes.len() / 2);
        self.events.each(bytes, |line| {
            match line {
                JsonLine::Event(message) => push_event(&mut lines, message),
                JsonLine::Id(id) => lines.push_str(&format!("{{\"lastEventId\":{}}}", json_string(id))),
                JsonLine::Retry(millis) => lines.push_str(&format!("{{\"retry\":{millis}}}")),
            }
            lines.push('\n');
        });
        lines.into()
    }
}

impl Encoding for JsonLines {
    fn encode(&mut self, _: &mut Source, plain: Bytes) -> Bytes {
        self.lines(&plain)
    }

    fn finish(&mut self, plain: Option<Bytes>) -> Option<Bytes> {
        plain.map(|plain| self.lines(&plain))
    }
}

impl Events {
    pub(super) fn new() -> Self {
        Self(Decoder::new().limits(Limits::default().line(usize::MAX).event(usize::MAX).id(usize::MAX)))
    }

    /// Passes each item in a chunk of whole events to `take`, in order.
    pub(super) fn each(&mut self, bytes: &Bytes, mut take: impl FnMut(JsonLine<'_>)) {
        let mut input = &bytes[..];
        // Without limits the decoder cannot fail.
        while let Ok(Some(item)) = self.0.decode(&mut input) {
            match item {
                Item::Message(message) => take(JsonLine::Event(message)),
                Item::Id(id) => take(JsonLine::Id(id)),
                Item::Retry(retry) => {
                    take(JsonLine::Retry(u64::try_from(retry.as_millis()).unwrap_or(u64::MAX)))
                }
                _ => {}
            }
        }
    }
}

/// Appends an event as a JSON object, in ASCII.
pub(super) fn push_event(json: &mut String, message: MessageRef<'_>) {
    json.push_str("{\"type\":");
    json.push_str(&json_string(message.event_type()));
    json.push_str(",\"data\":");
    json.push_str(&json_string(message.data()));
    json.push_str(",\"lastEventId\":");
    json.push_str(&json_string(message.last_event_id()));
    json.push('}');
}
