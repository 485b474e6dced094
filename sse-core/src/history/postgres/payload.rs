//! The text of a signal.
//!
//! The first line has the topics, separated by spaces, and the rest is the event's lines. PostgreSQL's text has no NUL:
//! lines with one are sent as hexadecimal digits, after a mark.

use std::fmt::Write;

use crate::history::{Entry, EntryKind, Topic};

/// Precedes the topics if the lines are hexadecimal digits; not allowed in a topic.
const HEX: char = '\u{1}';

/// Returns the text of a signal.
pub(super) fn encode(entry: &Entry) -> String {
    let topics: Vec<&str> = entry.topics.iter().map(Topic::as_str).collect();
    let topics = topics.join(" ");
    match std::str::from_utf8(&entry.lines) {
        Ok(lines) if !lines.contains('\0') => format!("{topics}\n{lines}"),
        _ => {
            let mut payload = format!("{HEX}{topics}\n");
            for byte in &entry.lines {
                // Writing to a `String` does not fail.
                let _ = write!(payload, "{byte:02x}");
            }
            payload
        }
    }
}

/// Returns the signal; `None` if another client has sent something else.
pub(super) fn decode(payload: &str) -> Option<Entry> {
    let (topics, lines) = payload.split_once('\n')?;
    let lines = match topics.strip_prefix(HEX) {
        Some(_) => from_hex(lines)?.into(),
        None => lines.as_bytes().to_vec().into(),
    };
    let topics = topics.trim_start_matches(HEX).split(' ').map(Topic::new).collect::<Result<_, _>>().ok()?;
    Some(Entry { topics, kind: EntryKind::Event, lines, key: None })
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::history::{Entry, EntryKind, Topic};

    #[test]
    fn every_signal_comes_back() {
        for lines in ["data: x\n", "data: \0é\n", ""] {
            let topics = vec![Topic::new("a").expect("valid"), Topic::new("b.c").expect("valid")];
            let entry = Entry { topics, kind: EntryKind::Event, lines: lines.into(), key: None };
            assert_eq!(decode(&encode(&entry)), Some(entry), "{lines:?}");
        }
        for payload in ["", "a", " \nx", "a  b\nx", "\u{1}a\nzz", "é\nx"] {
            assert_eq!(decode(payload), None, "{payload:?}");
        }
    }
}
