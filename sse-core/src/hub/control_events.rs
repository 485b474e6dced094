//! The events that a hub itself sends: `sse.gap`, `sse.checkpoint` and `sse.end`.
//!
//! Each has a data line, because Firefox and WebKit move their cursor only for events with data.

use crate::{
    history::Topic,
    resume::{Cursor, Gap, Resume},
    wire::{EventId, Frame},
};

/// A frame for one reader that skips the filter: the hub builds it, and never from a published event.
#[derive(Debug)]
pub(crate) struct Notice(Frame);

impl Notice {
    pub(crate) fn into_frame(self) -> Frame {
        self.0
    }

    pub(in crate::hub) fn without_id(self) -> Self {
        Self(Frame::block(without_id(&self.0)))
    }
}

/// Builds the first event after a gap; its id is the new cursor.
pub(crate) fn gap(gap: &Gap) -> Notice {
    let mut lines = b"event: sse.gap\ndata: ".to_vec();
    lines.extend_from_slice(gap_json(gap).as_bytes());
    lines.push(b'\n');
    Notice(finish_block(lines, gap.resumed_at))
}

/// Builds an event of a state that the application loaded for this reader; the last one has the state's cursor.
pub(in crate::hub) fn state(mut lines: Vec<u8>, cursor: Option<Cursor>) -> Notice {
    match cursor {
        Some(cursor) => end_block(&mut lines, cursor),
        None => lines.push(b'\n'),
    }
    Notice(Frame::block(lines))
}

/// Returns the gap as JSON on one line, in ASCII, so that it also fits in an HTTP header.
pub(crate) fn gap_json(gap: &Gap) -> String {
    let requested = gap.requested.as_deref().map_or_else(|| "null".to_owned(), json_string);
    let missed = gap.missed.map_or_else(|| "null".to_owned(), |missed| missed.to_string());
    format!(
        r#"{{"reason":"{}","requested":{requested},"resumed_at":"{}","missed":{missed}}}"#,
        gap.reason, gap.resumed_at
    )
}

/// Builds the event that makes WebKit's `EventSource` discard half an event.
///
/// When a connection breaks, WebKit 2.50 keeps the part of an event that it has received, even half a line, and
/// joins it to the first event of the next connection. This is that first event. Pages do not listen for it, and
/// its id is the cursor that the reader sent, so the half event's own id does not become the cursor before the
/// whole event has arrived.
pub(crate) fn discard(resume: &Resume) -> Frame {
    let mut lines = b"event: sse.discard\ndata: \nid: ".to_vec();
    match resume {
        // Only if a state comes first: until then the reader has no cursor.
        Resume::Fresh => {}
        Resume::Exact { after } | Resume::AtTail { after } => {
            lines.extend_from_slice(after.to_string().as_bytes())
        }
        // Text that is not a cursor is a gap again.
        Resume::Gap(gap) => {
            let requested = gap.requested.as_deref().and_then(|requested| EventId::new(requested).ok());
            lines.extend_from_slice(requested.as_ref().map_or("-", EventId::as_str).as_bytes());
        }
    }
    lines.extend_from_slice(b"\n\n");
    Frame::block(lines)
}

/// Builds the event that gives a reader a cursor: its first one, or one past events that it did not ask for.
pub(crate) fn checkpoint(cursor: Cursor) -> Notice {
    let mut lines = Vec::with_capacity(96);
    lines.extend_from_slice(b"event: sse.checkpoint\ndata: \n");
    Notice(finish_block(lines, cursor))
}

/// Returns the lines of the record that ends a topic.
pub(crate) fn end_lines(topic: &Topic) -> Vec<u8> {
    let mut lines = b"event: sse.end\ndata: {\"topic\":".to_vec();
    lines.extend_from_slice(json_string(topic.as_str()).as_bytes());
    lines.extend_from_slice(b"}\n");
    lines
}

/// Returns the lines of the record that ends an abandoned topic, whose producer no longer exists.
pub(crate) fn abandoned_lines(topic: &Topic) -> Vec<u8> {
    let mut lines = end_lines(topic);
    lines.truncate(lines.len() - b"}\n".len());
    lines.extend_from_slice(b",\"abandoned\":true}\n");
    lines
}

/// Adds the id and the blank line to encoded fields.
pub(crate) fn finish_block(mut lines: Vec<u8>, cursor: Cursor) -> Frame {
    end_block(&mut lines, cursor);
    Frame::block(lines)
}

/// Appends the id and the blank line to encoded fields.
pub(crate) fn end_block(lines: &mut Vec<u8>, cursor: Cursor) {
    lines.reserve(56);
    lines.extend_from_slice(b"id: ");
    cursor.write(lines);
    lines.extend_from_slice(b"\n\n");
}

/// Returns a hub's frame without its id, but with its last line, the blank one.
pub(crate) fn without_id(frame: &Frame) -> Vec<u8> {
    let mut bytes = lines_before_id(frame.as_ref()).to_vec();
    bytes.push(b'\n');
    bytes
}

/// Returns the cursor in a hub's frame.
pub(crate) fn cursor_of(frame: &Frame) -> Option<Cursor> {
    cursor_in(frame.as_ref())
}

/// Returns the cursor in a hub's block.
pub(crate) fn cursor_in(bytes: &[u8]) -> Option<Cursor> {
    let line = bytes.get(lines_before_id(bytes).len()..)?.trim_ascii_end().strip_prefix(b"id: ")?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

/// A hub writes the id as the last line of each block.
fn lines_before_id(bytes: &[u8]) -> &[u8] {
    let block = bytes.strip_suffix(b"\n\n").unwrap_or(bytes);
    let end = memchr::memrchr(b'\n', block).map_or(0, |end| end + 1);
    block.get(..end).unwrap_or_default()
}

/// Returns `text` as a JSON string in ASCII.
pub(crate) fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for unit in text.chars() {
        match unit {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            ' '..='~' => json.push(unit),
            _ => {
                for half in unit.encode_utf16(&mut [0; 2]) {
                    json.push_str(&format!("\\u{half:04x}"));
                }
            }
        }
    }
    json.push('"');
    json
}
