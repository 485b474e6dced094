/// One event that a client dispatches, by section 9.2.6 of the HTML standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchedEvent {
    /// The event's type, `message` if the stream gave none.
    pub event: String,
    /// The data.
    pub data: String,
    /// The last event id after this event.
    pub id: String,
}

/// Decodes a whole stream. The code follows the standard's text and shares nothing with the crate's decoder.
///
/// Bytes after the last complete line do not count as a line, and an event without its blank line is not dispatched.
#[must_use]
pub fn read(body: &[u8]) -> Vec<DispatchedEvent> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut told = Vec::new();
    let (mut event, mut data, mut id) = (String::new(), String::new(), String::new());
    for line in lines(text) {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                let event = if event.is_empty() { "message".to_owned() } else { event.clone() };
                told.push(DispatchedEvent { event, data: data.clone(), id: id.clone() });
            }
            event.clear();
            data.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            _ => {}
        }
    }
    told
}

/// The complete lines: each ended by CR, LF or CRLF.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\r', '\n']) {
        let (line, after) = rest.split_at(end);
        lines.push(line);
        rest = after.strip_prefix("\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    lines
}
