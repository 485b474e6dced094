//! What a hub itself says on a stream: `sse.gap`, `sse.checkpoint` and `sse.end`.
//!
//! Each has a data line, because Firefox and WebKit move their cursor only then.

use crate::{
    history::Topic,
    resume::{Cursor, Gap, Resume},
    wire::{EventId, Frame},
};

/// A frame that is meant for one reader and that no filter decides about: made here, and never of a published event.
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

/// The first event after a gap; its id is the new cursor.
pub(crate) fn gap(gap: &Gap) -> Notice {
    let mut lines = b"event: sse.gap\ndata: ".to_vec();
    lines.extend_from_slice(gap_json(gap).as_bytes());
    lines.push(b'\n');
    Notice(finish_block(lines, gap.resumed_at))
}

/// An event of a state that the application loaded for this reader; the last one has the state's cursor.
pub(in crate::hub) fn state(mut lines: Vec<u8>, cursor: Option<Cursor>) -> Notice {
    match cursor {
        Some(cursor) => end_block(&mut lines, cursor),
        None => lines.push(b'\n'),
    }
    Notice(Frame::block(lines))
}

/// The gap as JSON on one line, in ASCII, so that it fits an HTTP header as well.
pub(crate) fn gap_json(gap: &Gap) -> String {
    let requested = gap.requested.as_deref().map_or_else(|| "null".to_owned(), json_string);
    let missed = gap.missed.map_or_else(|| "null".to_owned(), |missed| missed.to_string());
    format!(
        r#"{{"reason":"{}","requested":{requested},"resumed_at":"{}","missed":{missed}}}"#,
        gap.reason, gap.resumed_at
    )
}

/// Frees an `EventSource` of WebKit from half an event.
///
/// WebKit 2.50 keeps what it has of an event when a connection breaks, even half a line, and joins it to the next
/// connection's first event. This is that event: pages do not listen for it, and its id is the cursor with which the
/// reader came, so that the half event's own id does not become the cursor before the event itself has come.
pub(crate) fn discard(resume: &Resume) -> Frame {
    let mut lines = b"event: sse.discard\ndata: \nid: ".to_vec();
    match resume {
        // Only where a state comes first, until which it has no cursor.
        Resume::Fresh => {}
        Resume::Exact { after } | Resume::AtTail { after } => {
            lines.extend_from_slice(after.to_string().as_bytes())
        }
        // What is no cursor is a gap again.
        Resume::Gap(gap) => {
            let requested = gap.requested.as_deref().and_then(|requested| EventId::new(requested).ok());
            lines.extend_from_slice(requested.as_ref().map_or("-", EventId::as_str).as_bytes());
        }
    }
    lines.extend_from_slice(b"\n\n");
    Frame::block(lines)
}

/// Gives a reader a cursor: the first one, or one past what it did not ask for.
pub(crate) fn checkpoint(cursor: Cursor) -> Notice {
    let mut lines = Vec::with_capacity(96);
    lines.extend_from_slice(b"event: sse.checkpoint\ndata: \n");
    Notice(finish_block(lines, cursor))
}

/// The lines of the record that ends a topic.
pub(crate) fn end_lines(topic: &Topic) -> Vec<u8> {
    let mut lines = b"event: sse.end\ndata: {\"topic\":".to_vec();
    lines.extend_from_slice(json_string(topic.as_str()).as_bytes());
    lines.extend_from_slice(b"}\n");
    lines
}

/// The lines of the record that ends a topic whose producer is gone.
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

/// A hub's frame without its id: its last line, the blank one, is kept.
pub(crate) fn without_id(frame: &Frame) -> Vec<u8> {
    let mut bytes = lines_before_id(frame.as_ref()).to_vec();
    bytes.push(b'\n');
    bytes
}

/// The cursor in a hub's frame.
pub(crate) fn cursor_of(frame: &Frame) -> Option<Cursor> {
    cursor_in(frame.as_ref())
}

/// The cursor in a hub's block.
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

/// `text` as a JSON string in ASCII.
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
