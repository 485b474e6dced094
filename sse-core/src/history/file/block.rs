//! Encodes records as bytes: the records of one commit are stored together, and each is read without a copy.

use bytes::{Buf, Bytes};

use super::failure::damaged;
use crate::{
    history::{Entry, HistoryError, Record, codec},
    resume::{Cursor, EpochTable},
};

/// A checksum and a count.
const HEADER: usize = 8;

/// A block under construction.
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
        codec::write(entry, &mut self.bytes);
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

    /// Returns the bytes to store under the position of the last record; the next record begins a new block.
    pub(super) fn take(&mut self, last: u64) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let count = std::mem::take(&mut self.count);
        if let Some(place) = bytes.get_mut(4..HEADER) {
            place.copy_from_slice(&count.to_le_bytes());
        }
        let check = checksum(last, bytes.get(4..).unwrap_or_default());
        if let Some(place) = bytes.get_mut(..4) {
            place.copy_from_slice(&check);
        }
        bytes
    }
}

/// Appends the records after `after` in the block that ends at `last` to `records`, up to `limit`.
pub(super) fn read(
    block: &[u8],
    last: u64,
    after: u64,
    epochs: &EpochTable,
    limit: usize,
    records: &mut Vec<Record>,
) -> Result<(), HistoryError> {
    let (check, rest) = block.split_at_checked(4).ok_or_else(wrong)?;
    if checksum(last, rest) != check {
        return Err(wrong());
    }
    let mut bytes = Bytes::copy_from_slice(rest);
    let count = u64::from(bytes.try_get_u32_le().map_err(|_| wrong())?);
    for seq in last.saturating_add(1).saturating_sub(count)..=last {
        if seq <= after {
            codec::skip(&mut bytes).map_err(|_| wrong())?;
            continue;
        }
        if records.len() == limit {
            break;
        }
        let entry = codec::read(&mut bytes, records).map_err(|_| wrong())?;
        records.push(codec::record(entry, Cursor::new(epochs.at(seq), seq)));
    }
    Ok(())
}

/// The checksum covers the position too: a record must never be read under the position of another one.
fn checksum(last: u64, rest: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&last.to_le_bytes());
    hasher.update(rest);
    hasher.finalize().to_le_bytes()
}

fn wrong() -> HistoryError {
    damaged("the checksum of a block is wrong")
}
