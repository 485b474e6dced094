//! A reader of event streams that follows the prose of the HTML standard, sections 9.2.5 and 9.2.6, word by word.
//!
//! The reader shares no code with the decoder and need not be fast: it takes a whole connection's bytes at once.

/// What the standard calls the event source, as far as parsing goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Naive {
    pub(crate) events: Vec<Event>,
    pub(crate) last_event_id: String,
    /// As text, because the standard sets no limit for the number.
    pub(crate) retry: Option<String>,
    pub(crate) comments: Vec<String>,
    pub(crate) unknown: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) event_type: String,
    pub(crate) data: String,
    pub(crate) last_event_id: String,
}

#[derive(Default)]
struct Buffers {
    data: String,
    event_type: String,
    last_event_id: String,
}

impl Naive {
    /// "Streams must be decoded using the UTF-8 decode algorithm", which drops one byte order mark, and what is left
    /// of a block at the end of the stream is discarded.
    pub(crate) fn connection(&mut self, bytes: &[u8]) {
        let text = utf8_decode(bytes);
        let mut buffers = Buffers { last_event_id: self.last_event_id.clone(), ..Buffers::default() };
        for line in complete_lines(&text) {
            self.line(&mut buffers, &line);
        }
    }

    fn line(&mut self, buffers: &mut Buffers, line: &str) {
        if line.is_empty() {
            self.dispatch(buffers);
        } else if let Some(comment) = line.strip_prefix(':') {
            self.comments.push(without_space(comment).to_owned());
        } else if let Some((field, value)) = line.split_once(':') {
            self.field(buffers, field, without_space(value));
        } else {
            self.field(buffers, line, "");
        }
    }

    fn field(&mut self, buffers: &mut Buffers, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut buffers.event_type),
            "data" => {
                buffers.data.push_str(value);
                buffers.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut buffers.last_event_id),
            "retry" if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
                self.retry = Some(value.to_owned());
            }
            "id" | "retry" => {}
            _ => self.unknown.push((field.to_owned(), value.to_owned())),
        }
    }

    fn dispatch(&mut self, buffers: &mut Buffers) {
        buffers.last_event_id.clone_into(&mut self.last_event_id);
        let mut data = std::mem::take(&mut buffers.data);
        let event_type = std::mem::take(&mut buffers.event_type);
        if data.is_empty() {
            return;
        }
        if data.ends_with('\n') {
            data.pop();
        }
        let event_type = if event_type.is_empty() { "message".to_owned() } else { event_type };
        self.events.push(Event { event_type, data, last_event_id: self.last_event_id.clone() });
    }

    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.retry.as_ref().map(|digits| {
            digits
                .bytes()
                .fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
        })
    }
}

fn without_space(value: &str) -> &str {
    value.strip_prefix(' ').unwrap_or(value)
}

/// The terminated lines: by CRLF, LF or CR.
fn complete_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                lines.push(std::mem::take(&mut line));
            }
            '\n' => lines.push(std::mem::take(&mut line)),
            c => line.push(c),
        }
    }
    lines
}

/// The Encoding standard's UTF-8 decoder, state by state, with replacement.
fn utf8_decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut text = String::new();
    let (mut point, mut seen, mut needed, mut lower, mut upper) = (0u32, 0, 0, 0x80, 0xbf);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        if needed == 0 {
            match byte {
                0x00..=0x7f => text.push(char::from(byte)),
                0xc2..=0xdf => (needed, point) = (1, u32::from(byte & 0x1f)),
                0xe0..=0xef => {
                    lower = if byte == 0xe0 { 0xa0 } else { 0x80 };
                    upper = if byte == 0xed { 0x9f } else { 0xbf };
                    (needed, point) = (2, u32::from(byte & 0x0f));
                }
                0xf0..=0xf4 => {
                    lower = if byte == 0xf0 { 0x90 } else { 0x80 };
                    upper = if byte == 0xf4 { 0x8f } else { 0xbf };
                    (needed, point) = (3, u32::from(byte & 0x07));
                }
                _ => text.push('\u{fffd}'),
            }
            continue;
        }
        let expected = lower..=upper;
        (lower, upper) = (0x80, 0xbf);
        if !expected.contains(&byte) {
            (point, seen, needed) = (0, 0, 0);
            text.push('\u{fffd}');
            // "Restore byte to ioQueue."
            at -= 1;
            continue;
        }
        point = (point << 6) | u32::from(byte & 0x3f);
        seen += 1;
        if seen == needed {
            text.push(char::from_u32(point).expect("a scalar value by the bounds"));
            (point, seen, needed) = (0, 0, 0);
        }
    }
    if needed != 0 {
        text.push('\u{fffd}');
    }
    text
}
