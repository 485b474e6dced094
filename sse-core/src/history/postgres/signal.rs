//! Signals: notifications that carry an event.
//!
//! The first line has the topics, separated by spaces, and the rest is the event's lines. PostgreSQL's text has no NUL:
//! lines with one are sent as hexadecimal digits, after a mark.

use std::fmt::Write;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_postgres::types::Type;

use super::{Shared, call::call, connect::Session};
use crate::history::{
    Entry, EntryKind, HistoryError, HistoryErrorKind, SignalReceipt, TailEvent, Topic, tail::TailEvents,
};

/// The maximum length of a notification in bytes.
const MAX_LEN: usize = 7_999;

/// Precedes the topics if the lines are hexadecimal digits; not allowed in a topic.
const HEX: char = '\u{1}';

/// Sends a signal, and returns the number of processes that listen.
pub(super) async fn send(
    shared: &Shared,
    session: &Session,
    entry: &Entry,
) -> Result<SignalReceipt, HistoryError> {
    let payload = encode(entry);
    if payload.len() > MAX_LEN {
        let len = payload.len();
        let message = format!(
            "a signal of {len} bytes; PostgreSQL sends at most {MAX_LEN}: shorten it, or publish it as an event"
        );
        return Err(HistoryError::new(HistoryErrorKind::Unavailable, message));
    }
    let sql = shared.schema.sql("select {sse}.send_signal($1)");
    let rows = call(&session.reader, &sql, &[(&payload, Type::TEXT)]).await;
    let rows = rows.map_err(|failure| shared.failed(session, failure))?;
    let processes = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
    let hears = session.hears.load(std::sync::atomic::Ordering::Relaxed);
    let processes = processes.filter(|_| hears).and_then(|count| u64::try_from(count).ok());
    Ok(SignalReceipt { processes })
}

/// Passes signals on to a tail, until it is dropped.
pub(super) async fn follow(mut signals: Receiver<Entry>, changes: TailEvents) {
    loop {
        match signals.recv().await {
            Ok(entry) => {
                if changes.send(Ok(TailEvent::Signal(entry))).await.is_err() {
                    return;
                }
            }
            // Signals may be lost.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn encode(entry: &Entry) -> String {
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
