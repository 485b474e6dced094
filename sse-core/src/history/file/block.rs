//! Records as bytes: what is committed together is stored together, and read without copying.

use bytes::{Buf, Bytes};

use super::failure::damaged;
use crate::{
    history::{Entry, EntryKind, HistoryError, Record, Topic},
    resume::Epochs,
};

/// A checksum and a count.
const HEADER: usize = 8;

/// A block that is being filled.
#[derive(Debug, Default)]
pub(super) struct BlockWriter {
    bytes: Vec<u8>,
    count: u32,
}

impl BlockWriter {
    pub(super) fn push(&mut self, entry: &Entry) {
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER, 0);
        }
        self.count += 1;
        self.bytes.push(match entry.kind {
            EntryKind::Event => 0,
            EntryKind::Finish => 1,
        });
        // `Entry` is checked before it gets here: `u16` topics of at most 256 bytes, `u32` bytes.
        self.bytes.extend_from_slice(&(entry.topics.len() as u16).to_le_bytes());
        for topic in &entry.topics {
            self.bytes.extend_from_slice(&(topic.as_str().len() as u16).to_le_bytes());
            self.bytes.extend_from_slice(topic.as_str().as_bytes());
        }
        self.bytes.extend_from_slice(&(entry.lines.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&entry.lines);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes to store; the next record begins a new block.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let count = std::mem::take(&mut self.count);
        if let Some(place) = bytes.get_mut(4..HEADER) {
            place.copy_from_slice(&count.to_le_bytes());
        }
        let check = crc32fast::hash(bytes.get(4..).unwrap_or_default());
        if let Some(place) = bytes.get_mut(..4) {
            place.copy_from_slice(&check.to_le_bytes());
        }
        bytes
    }
}

/// The records after `after` in the block that ends at `last`, appended to `records` up to `limit`.
pub(super) fn read(
    block: &[u8],
    last: u64,
    after: u64,
    epochs: &Epochs,
    limit: usize,
    records: &mut Vec<Record>,
) -> Result<(), HistoryError> {
    let (check, rest) = block.split_at_checked(4).ok_or_else(wrong)?;
    if crc32fast::hash(rest).to_le_bytes() != check {
        return Err(wrong());
    }
    let mut bytes = Bytes::copy_from_slice(rest);
    let count = u64::from(bytes.try_get_u32_le().map_err(|_| wrong())?);
    for seq in (last + 1).saturating_sub(count)..=last {
        let kind = match bytes.try_get_u8().map_err(|_| wrong())? {
            0 => EntryKind::Event,
            1 => EntryKind::Finish,
            _ => return Err(wrong()),
        };
        let is_wanted = seq > after;
        let mut topics = Vec::new();
        for _ in 0..bytes.try_get_u16_le().map_err(|_| wrong())? {
            let len = bytes.try_get_u16_le().map_err(|_| wrong())?;
            let text = take(&mut bytes, len.into())?;
            if is_wanted {
                topics.push(topic(&text, records)?);
            }
        }
        let len = bytes.try_get_u32_le().map_err(|_| wrong())?;
        let lines = take(&mut bytes, len as usize)?;
        if is_wanted {
            if records.len() == limit {
                return Ok(());
            }
            let cursor = crate::resume::Cursor::new(epochs.at(seq), seq);
            records.push(Record { cursor, topics, kind, lines });
        }
    }
    Ok(())
}

/// The topic with this text: neighbours often share one, and then its memory too.
fn topic(text: &[u8], records: &[Record]) -> Result<Topic, HistoryError> {
    let known =
        records.last().and_then(|record| record.topics.iter().find(|t| t.as_str().as_bytes() == text));
    match known {
        Some(topic) => Ok(topic.clone()),
        None => std::str::from_utf8(text).ok().and_then(|text| Topic::new(text).ok()).ok_or_else(wrong),
    }
}

fn take(bytes: &mut Bytes, len: usize) -> Result<Bytes, HistoryError> {
    if bytes.len() < len {
        return Err(wrong());
    }
    Ok(bytes.split_to(len))
}

fn wrong() -> HistoryError {
    damaged("the checksum of a block is wrong")
}
