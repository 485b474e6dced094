//! Entries that other clients of a server write to an engine's store: they are data, never syntax.

#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use memchr::memchr;
#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
use tokio::time::Instant;

use super::{EntryKind, HistoryError, Record, TailEvent};
use crate::wire::Event;

/// The seconds between two log lines about records of other clients.
#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
const QUIET: u64 = 10;

/// Turns lines that no encoder of this crate has written into the data of an event.
///
/// A client that may write to the store can imitate this crate; it cannot write fields that a hub does not write,
/// such as an `id`, a type that begins with `sse.`, or the end of the event and another one.
fn frame(kind: &mut EntryKind, lines: &mut Bytes) {
    if !is_written_here(*kind, lines) {
        *kind = EntryKind::Event;
        *lines = message(lines);
    }
}

/// Returns the records with lines that may be sent.
pub(crate) fn framed(mut records: Vec<Record>) -> Vec<Record> {
    records.iter_mut().for_each(|record| frame(&mut record.kind, &mut record.lines));
    records
}

/// The events of a history's tail.
pub(crate) type Tail = Pin<Box<dyn Stream<Item = Result<TailEvent, HistoryError>> + Send>>;

/// A tail whose records and signals have lines that may be sent.
pub(crate) struct FramedTail(pub(crate) Tail);

impl Stream for FramedTail {
    type Item = Result<TailEvent, HistoryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut next = self.0.as_mut().poll_next(cx);
        match &mut next {
            Poll::Ready(Some(Ok(TailEvent::Record(record)))) => frame(&mut record.kind, &mut record.lines),
            Poll::Ready(Some(Ok(TailEvent::Signal(entry)))) => frame(&mut entry.kind, &mut entry.lines),
            _ => {}
        }
        next
    }
}

/// Returns the lines of an event with the payload as its data.
pub(crate) fn message(payload: &[u8]) -> Bytes {
    let event = Event::message(String::from_utf8_lossy(payload));
    event.into_lines().map(Into::into).unwrap_or_default()
}

/// Returns whether the lines are fields of one event, as the encoder writes them.
pub(crate) fn is_written_here(kind: EntryKind, lines: &[u8]) -> bool {
    if std::str::from_utf8(lines).is_err() || memchr(b'\r', lines).is_some() {
        return false;
    }
    let (mut has_data, mut has_type) = (false, false);
    let mut rest = lines;
    while let Some(end) = memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        if line.starts_with(b"data: ") {
            has_data = true;
        } else if let Some(name) = line.strip_prefix(b"event: ") {
            let is_allowed = !name.starts_with(b"sse.") || kind == EntryKind::Finish && name == b"sse.end";
            if !is_allowed || has_type {
                return false;
            }
            has_type = true;
        } else if let Some(delay) = line.strip_prefix(b"retry: ") {
            if delay.is_empty() || !delay.iter().all(u8::is_ascii_digit) {
                return false;
            }
        } else if !(has_data && line.starts_with(b": ")) {
            return false;
        }
    }
    has_data && rest.is_empty()
}

/// Logs that entries of other clients were skipped, at most once per interval.
#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
pub(crate) fn skipped(engine: &'static str, count: usize) {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = BEGAN.get_or_init(Instant::now).elapsed().as_secs();
    let next = NEXT.load(Ordering::Relaxed);
    if now >= next && NEXT.compare_exchange(next, now + QUIET, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        tracing::warn!(
            engine,
            count,
            "passed over what another client wrote where the history is kept; let nothing else write there"
        );
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{frame, is_written_here};
    use crate::{history::EntryKind, wire::Event};

    fn is_ours(lines: &[u8]) -> bool {
        is_written_here(EntryKind::Event, lines)
    }

    #[test]
    fn what_the_encoder_writes_is_ours() {
        let events = [
            Event::message(""),
            Event::message("a\r\nb\rc\n"),
            Event::message("x").event("note").retry(std::time::Duration::from_secs(1)),
            Event::default().event("note").data("x").comment("c\nd"),
            Event::message("id: 1\n\nevent: sse.end"),
        ];
        for event in events {
            let lines = event.into_lines().expect("valid");
            assert!(is_ours(&lines), "{}", String::from_utf8_lossy(&lines));
        }
        assert!(is_written_here(EntryKind::Finish, b"event: sse.end\ndata: {}\n"));
    }

    #[test]
    fn what_it_never_writes_is_data() {
        let foreign: [&[u8]; 16] = [
            b"",
            b"\n",
            b"x",
            b"data: x",
            b"data: x\n\n",
            b"data: x\n\ndata: y\n",
            b"data:x\n",
            b"data: x\r\n",
            b"data: x\rid: 1\n",
            b"data: x\nid: 0000000000000001-5\n",
            b"event: sse.end\ndata: {}\n",
            b"event: sse.gap\ndata: {}\n",
            b"event: a\nevent: b\ndata: x\n",
            b": first\ndata: x\n",
            b"retry: soon\ndata: x\n",
            b"data: \xff\n",
        ];
        for lines in foreign {
            assert!(!is_ours(lines), "{:?}", String::from_utf8_lossy(lines));
            let (mut kind, mut framed) = (EntryKind::Finish, Bytes::copy_from_slice(lines));
            frame(&mut kind, &mut framed);
            let is_end = lines.starts_with(b"event: sse.end");
            assert_eq!(kind == EntryKind::Finish, is_end, "{:?}", String::from_utf8_lossy(lines));
            assert!(is_written_here(kind, &framed));
        }
        // The type of a finish is `sse.end` or absent.
        assert!(!is_written_here(EntryKind::Finish, b"event: sse.checkpoint\ndata: \n"));
    }
}
