//! Events and messages in other formats: feature `serde`.

use std::{str, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{Event, Frame, Message};

/// An event's fields, named as on the wire.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename = "Event", default, deny_unknown_fields)]
struct EventFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The delay in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

impl EventFields {
    /// Adds a line that the builder wrote. For a field that a client keeps once, the last such line counts.
    fn add(&mut self, line: &str) -> Option<()> {
        let (name, value) = line.split_once(": ")?;
        match name {
            "event" => self.event = Some(value.to_owned()),
            "data" => add_line(&mut self.data, value),
            "id" => self.id = Some(value.to_owned()),
            "retry" => self.retry = Some(value.parse().ok()?),
            "" => add_line(&mut self.comment, value),
            _ => return None,
        }
        Some(())
    }
}

fn add_line(text: &mut Option<String>, line: &str) {
    match text {
        None => *text = Some(line.to_owned()),
        Some(text) => {
            text.push('\n');
            text.push_str(line);
        }
    }
}

/// Serializes to `{"event", "data", "id", "retry", "comment"}`, each of them only if it was set; `retry` in
/// milliseconds.
///
/// Lines are joined by LF. An event that cannot be sent is an error.
///
/// ```
/// use sse_core::Event;
///
/// let json = serde_json::to_string(&Event::message("a\r\nb").id(7))?;
/// assert_eq!(json, r#"{"data":"a\nb","id":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Frame::try_from(self.clone()).map_err(ser::Error::custom)?;
        let (fields, comments, _) = self.raw();
        let mut event = EventFields::default();
        for lines in [fields, comments] {
            let lines = str::from_utf8(lines).map_err(ser::Error::custom)?;
            for line in lines.split_terminator('\n') {
                event
                    .add(line)
                    .ok_or_else(|| ser::Error::custom("event: a line that the builder did not write"))?;
            }
        }
        event.serialize(serializer)
    }
}

/// Deserializes `{"event", "data", "id", "retry", "comment"}`, all of them optional; `retry` in milliseconds.
///
/// A value that the builder rejects is an error, and so is an unknown field.
///
/// ```
/// use sse_core::{Event, Frame};
///
/// let event: Event = serde_json::from_str(r#"{"data": "a\nb", "id": "7"}"#)?;
/// assert_eq!(Frame::try_from(event).unwrap().as_ref(), b"data: a\ndata: b\nid: 7\n\n");
/// assert!(serde_json::from_str::<Event>(r#"{"data": "x", "id": "two\nlines"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = EventFields::deserialize(deserializer)?;
        let mut event = Self::default();
        if let Some(data) = fields.data {
            event = event.data(data);
        }
        if let Some(event_type) = fields.event {
            event = event.event(event_type);
        }
        if let Some(id) = fields.id {
            event = event.id(id);
        }
        if let Some(millis) = fields.retry {
            event = event.retry(Duration::from_millis(millis));
        }
        if let Some(comment) = fields.comment {
            event = event.comment(comment);
        }
        Frame::try_from(event.clone()).map_err(de::Error::custom)?;
        Ok(event)
    }
}

/// A message's parts, named as in page code.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Message", rename_all = "camelCase")]
struct MessageFields<T> {
    r#type: T,
    data: T,
    last_event_id: T,
}

/// Serializes to `{"type", "data", "lastEventId"}`, the names that page code uses.
///
/// ```
/// use sse_core::decode::Decoder;
///
/// let mut decoder = Decoder::new();
/// let message = decoder.messages(&mut &b"data: a\nid: 7\n\n"[..]).next().unwrap()?;
/// assert_eq!(serde_json::to_string(&message)?, r#"{"type":"message","data":"a","lastEventId":"7"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (r#type, data, last_event_id) = (self.event_type(), self.data(), self.last_event_id());
        MessageFields { r#type, data, last_event_id }.serialize(serializer)
    }
}

/// Deserializes `{"type", "data", "lastEventId"}`; an empty type becomes `message`.
///
/// Nothing is checked, because these fields of a stream may contain any text.
impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let MessageFields::<String> { r#type, data, last_event_id } = Deserialize::deserialize(deserializer)?;
        let event_type = if r#type.is_empty() { "message" } else { &r#type };
        Ok(Self::new(event_type, &data, &last_event_id))
    }
}
