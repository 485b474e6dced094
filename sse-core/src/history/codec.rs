//! Encodes entries as bytes, for engines that store bytes.

use bytes::{Buf, Bytes};

use super::{Entry, EntryKind, HistoryError, HistoryErrorKind, Record, Topic};
use crate::resume::Cursor;

/// The largest append in bytes, so that lengths fit into their stored form.
const LARGEST: usize = 1 << 30;

/// Bytes that do not decode to an entry.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// Rejects entries that cannot be stored; returns the encoded length in bytes.
pub(crate) fn check(entries: &[Entry]) -> Result<usize, HistoryError> {
    let size = |entry: &Entry| {
        let topics: usize = entry.topics.iter().map(|topic| topic.as_str().len() + 2).sum();
        entry.lines.len() + topics + 7
    };
    let bytes = entries.iter().map(size).sum();
    let too_large = bytes > LARGEST || entries.iter().any(|entry| entry.topics.len() > usize::from(u16::MAX));
    if too_large {
        let message = "the append has more than 1 GiB or an entry of too many topics; append less at once";
        return Err(HistoryError::new(HistoryErrorKind::Unavailable, message));
    }
    Ok(bytes)
}

/// Appends a checked entry, without its key.
pub(crate) fn write(entry: &Entry, bytes: &mut Vec<u8>) {
    bytes.push(match entry.kind {
        EntryKind::Event => 0,
        EntryKind::Finish => 1,
    });
    let len = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend_from_slice(&len(entry.topics.len()));
    for topic in &entry.topics {
        bytes.extend_from_slice(&len(topic.as_str().len()));
        bytes.extend_from_slice(topic.as_str().as_bytes());
    }
    let len = u32::try_from(entry.lines.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&entry.lines);
}

/// Reads an entry from the front; its bytes are shared. Topics equal to those of `neighbours` are shared with
/// them.
pub(crate) fn read(bytes: &mut Bytes, neighbours: &[Record]) -> Result<Entry, Unreadable> {
    let kind = match bytes.try_get_u8().map_err(unreadable)? {
        0 => EntryKind::Event,
        1 => EntryKind::Finish,
        _ => return Err(Unreadable),
    };
    let count = bytes.try_get_u16_le().map_err(unreadable)?;
    let mut topics = Vec::with_capacity(count.min(16).into());
    for _ in 0..count {
        let len = bytes.try_get_u16_le().map_err(unreadable)?;
        topics.push(topic(&take(bytes, len.into())?, neighbours)?);
    }
    let len = bytes.try_get_u32_le().map_err(unreadable)?;
    let lines = take(bytes, len as usize)?;
    Ok(Entry { topics, kind, lines, key: None })
}

/// Skips an entry.
pub(crate) fn skip(bytes: &mut Bytes) -> Result<(), Unreadable> {
    bytes.try_get_u8().map_err(unreadable)?;
    for _ in 0..bytes.try_get_u16_le().map_err(unreadable)? {
        let len = bytes.try_get_u16_le().map_err(unreadable)?;
        take(bytes, len.into())?;
    }
    let len = bytes.try_get_u32_le().map_err(unreadable)?;
    take(bytes, len as usize)?;
    Ok(())
}

/// Returns the entry as a record at `cursor`.
pub(crate) fn record(entry: Entry, cursor: Cursor) -> Record {
    Record { cursor, topics: entry.topics, kind: entry.kind, lines: entry.lines }
}

fn topic(text: &[u8], neighbours: &[Record]) -> Result<Topic, Unreadable> {
    let known =
        neighbours.last().and_then(|record| record.topics.iter().find(|t| t.as_str().as_bytes() == text));
    match known {
        Some(topic) => Ok(topic.clone()),
        None => std::str::from_utf8(text).ok().and_then(|text| Topic::new(text).ok()).ok_or(Unreadable),
    }
}

fn take(bytes: &mut Bytes, len: usize) -> Result<Bytes, Unreadable> {
    if bytes.len() < len {
        return Err(Unreadable);
    }
    Ok(bytes.split_to(len))
}

fn unreadable(_: bytes::TryGetError) -> Unreadable {
    Unreadable
}
