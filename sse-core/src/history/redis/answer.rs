//! Decodes the server's answers.

use bytes::Bytes;
use redis::{FromRedisValue, ParsingError, Value};

use crate::{
    history::{
        Appended, EntryKind, HistoryBounds, HistoryError, HistoryErrorKind, Record, Topic, codec, foreign,
    },
    resume::{Cursor, Epoch, EpochRow, EpochTable},
};

/// The maximum number of records in a block.
const MOST_RECORDS: u64 = 256;

/// A topic and its last position, as the server returns them.
pub(super) type Row = (Vec<u8>, f64);

/// The result of the script `span`.
#[derive(Debug)]
pub(super) struct BoundsReply {
    pub(super) head: u64,
    oldest: u64,
    /// For the exact topics: the last position, and the last trimmed position.
    last: u64,
    trimmed: u64,
    /// Whether none of them can be among the forgotten topics.
    all_remembered: bool,
    /// The highest last position of the forgotten topics.
    pub(super) forgotten: u64,
    pub(super) epochs: EpochTable,
    finished: Vec<(Topic, Cursor)>,
    /// The newest topics, if wildcards were requested.
    pub(super) newest: Vec<Row>,
}

impl FromRedisValue for BoundsReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        type Answer = (u64, u64, u64, u64, u8, u64, Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<Row>);
        let (head, oldest, last, trimmed, all_remembered, forgotten, epochs, finished, newest) =
            Answer::from_redis_value(value)?;
        // Rows that this crate did not write are skipped; the newest one is always its own.
        let rows = epochs.iter().filter_map(|row| cursor(std::str::from_utf8(row).ok()?));
        let rows = rows.map(|row| EpochRow { epoch: row.epoch(), begins: row.seq() });
        let epochs = EpochTable::from_rows(rows.collect())
            .ok_or_else(|| "the table of epochs has no row".to_owned())?;
        let finished = finished.chunks_exact(2).filter_map(|pair| {
            let [topic, place] = pair else { return None };
            let topic = Topic::new(std::str::from_utf8(topic).ok()?).ok()?;
            Some((topic, cursor(std::str::from_utf8(place).ok()?)?))
        });
        let finished = finished.collect();
        let all_remembered = all_remembered == 1;
        Ok(Self { head, oldest, last, trimmed, all_remembered, forgotten, epochs, finished, newest })
    }
}

impl BoundsReply {
    /// Returns the bounds, with the last position of the topics that the wildcards match, if there were any.
    pub(super) fn into_span(self, wild: Option<u64>) -> HistoryBounds {
        let Self { head, oldest, epochs, finished, .. } = self;
        let (mut last, mut trimmed) = (self.last, self.trimmed);
        let unknown = wild.or_else(|| (!self.all_remembered).then_some(self.forgotten));
        if let Some(unknown) = unknown.map(|unknown| unknown.max(self.forgotten)) {
            last = last.max(unknown);
            trimmed = trimmed.max(unknown.min(oldest.saturating_sub(1)));
        }
        HistoryBounds { oldest, head, epochs, last, trimmed, finished }
    }
}

/// An entry of the stream: neighbouring records of one epoch.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) epoch: Epoch,
    bytes: Bytes,
}

impl Block {
    /// Appends the records after `after` to `records`, up to `limit`.
    ///
    /// A block that another client wrote has its positions, so that the blocks after it are in order, but it has
    /// neither topics nor lines.
    pub(super) fn records(&self, after: u64, limit: usize, records: &mut Vec<Record>) {
        let (mut bytes, mut is_readable) = (self.bytes.clone(), true);
        for seq in self.first..=self.last {
            if seq <= after {
                is_readable &= codec::skip(&mut bytes).is_ok();
                continue;
            }
            if records.len() == limit {
                return;
            }
            let cursor = Cursor::new(self.epoch, seq);
            let entry = if is_readable { codec::read(&mut bytes, records).ok() } else { None };
            is_readable = entry.is_some();
            records.push(match entry {
                Some(entry) => codec::record(entry, cursor),
                None => Record { cursor, topics: Vec::new(), kind: EntryKind::Event, lines: Bytes::new() },
            });
        }
        if !is_readable {
            foreign::skipped("Redis", 1);
        }
    }
}

/// Returns the blocks of an `XRANGE`, and the number of entries of other clients among them.
pub(super) fn blocks(value: Value) -> Result<(Vec<Block>, usize), HistoryError> {
    match value {
        Value::Array(entries) => {
            let count = entries.len();
            let blocks: Vec<Block> = entries.into_iter().filter_map(block).collect();
            let foreign = count - blocks.len();
            Ok((blocks, foreign))
        }
        Value::Nil => Ok((Vec::new(), 0)),
        _ => Err(damaged()),
    }
}

/// Returns the same for an `XREAD` of one stream; empty if nothing arrived in time.
pub(super) fn read_blocks(value: Value) -> Result<(Vec<Block>, usize), HistoryError> {
    match value {
        Value::Nil => Ok((Vec::new(), 0)),
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut stream)) => blocks(stream.pop().unwrap_or(Value::Nil)),
            _ => Err(damaged()),
        },
        _ => Err(damaged()),
    }
}

/// Reads an entry as a block; `None` if another client wrote it.
fn block(entry: Value) -> Option<Block> {
    let Value::Array(entry) = entry else { return None };
    let [Value::BulkString(id), Value::Array(fields)] = <[Value; 2]>::try_from(entry).ok()? else {
        return None;
    };
    let [Value::BulkString(epoch), Value::BulkString(bytes)] = <[Value; 2]>::try_from(fields).ok()? else {
        return None;
    };
    let (last, count) = std::str::from_utf8(&id).ok()?.split_once('-')?;
    let (last, count) = (last.parse::<u64>().ok()?, count.parse::<u64>().ok()?);
    let epoch = std::str::from_utf8(&epoch).ok().filter(|epoch| epoch.len() == 16)?;
    let epoch = epoch_of(epoch)?;
    let first = last.checked_sub(count)?.checked_add(1)?;
    (1..=MOST_RECORDS).contains(&count).then(|| Block { first, last, epoch, bytes: bytes.into() })
}

/// Returns the positions of appended entries.
pub(super) fn appended(answers: &[String]) -> Option<Vec<Appended>> {
    let place = |answer: &String| {
        let (duplicate, place) = match answer.strip_prefix('=') {
            Some(place) => (true, place),
            None => (false, answer.as_str()),
        };
        Some(Appended { cursor: cursor(place)?, duplicate })
    };
    answers.iter().map(place).collect()
}

fn cursor(place: &str) -> Option<Cursor> {
    let (epoch, seq) = place.split_once(' ')?;
    Some(Cursor::new(epoch_of(epoch)?, seq.parse().ok()?))
}

fn epoch_of(text: &str) -> Option<Epoch> {
    u64::from_str_radix(text, 16).ok().map(Epoch::from_bits)
}

/// The keys contain data that this crate did not write.
pub(super) fn damaged() -> HistoryError {
    let message = "its keys hold something that was not written by it; rename them away, and open it again under the \
                   same name or another: readers get a gap notice, not a silent loss";
    HistoryError::new(HistoryErrorKind::Damaged, message)
}
