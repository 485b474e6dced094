//! What the server answers, as what it means.

use bytes::Bytes;
use redis::{ErrorKind, RedisError, RedisResult, Value};

use crate::{
    history::{Appended, HistoryError, HistoryErrorKind, Record, Span, Topic, codec},
    resume::{Cursor, Epoch, EpochStart, Epochs},
};

/// The answer of the script that tells the span: head, oldest, last, epochs, finished topics and their places, trimmed.
pub(super) type Told = (u64, u64, u64, Vec<String>, Vec<String>, u64);

/// A stream's entry: some neighbouring records of one epoch.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) epoch: Epoch,
    bytes: Bytes,
}

impl Block {
    /// Its records after `after`, appended to `records` up to `limit`.
    pub(super) fn records(
        mut self,
        after: u64,
        limit: usize,
        records: &mut Vec<Record>,
    ) -> Result<(), HistoryError> {
        for seq in self.first..=self.last {
            if seq <= after {
                codec::skip(&mut self.bytes).map_err(|_| damaged())?;
                continue;
            }
            if records.len() == limit {
                break;
            }
            let entry = codec::read(&mut self.bytes, records).map_err(|_| damaged())?;
            records.push(codec::record(entry, Cursor::new(self.epoch, seq)));
        }
        Ok(())
    }
}

/// The blocks of an `XRANGE`.
pub(super) fn blocks(value: Value) -> Result<Vec<Block>, HistoryError> {
    match value {
        Value::Array(entries) => entries.into_iter().map(|entry| block(entry).ok_or_else(damaged)).collect(),
        Value::Nil => Ok(Vec::new()),
        _ => Err(damaged()),
    }
}

/// The blocks of an `XREAD` of one stream, or nothing if none came in time.
pub(super) fn read_blocks(value: Value) -> Result<Vec<Block>, HistoryError> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut stream)) => blocks(stream.pop().unwrap_or(Value::Nil)),
            _ => Err(damaged()),
        },
        _ => Err(damaged()),
    }
}

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
    let epoch = epoch_of(std::str::from_utf8(&epoch).ok()?)?;
    Some(Block { first: last.checked_sub(count)?.checked_add(1)?, last, epoch, bytes: bytes.into() })
}

/// The places of appended entries.
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

/// The span as the script told it.
pub(super) fn span((head, oldest, last, epochs, finished, trimmed): Told) -> RedisResult<Span> {
    let rows = epochs.iter().map(|row| {
        let cursor = cursor(row)?;
        Some(EpochStart { epoch: cursor.epoch(), begins: cursor.seq() })
    });
    let epochs = rows.collect::<Option<Vec<_>>>().and_then(Epochs::from_rows).ok_or_else(unexpected)?;
    let mut told = Vec::new();
    for pair in finished.chunks_exact(2) {
        if let [topic, place] = pair {
            let topic = Topic::new(topic).map_err(|_| unexpected())?;
            told.push((topic, cursor(place).ok_or_else(unexpected)?));
        }
    }
    Ok(Span { oldest, head, epochs, last, trimmed, finished: told })
}

fn cursor(place: &str) -> Option<Cursor> {
    let (epoch, seq) = place.split_once(' ')?;
    Some(Cursor::new(epoch_of(epoch)?, seq.parse().ok()?))
}

fn epoch_of(text: &str) -> Option<Epoch> {
    u64::from_str_radix(text, 16).ok().map(Epoch::from_bits)
}

fn unexpected() -> RedisError {
    (ErrorKind::UnexpectedReturnType, "the history's keys hold something else").into()
}

/// The keys hold what this crate did not write.
pub(super) fn damaged() -> HistoryError {
    let message = "its keys hold something that was not written by it; rename them away, and open it again under the \
                   same name or another: readers get a gap notice, not a silent loss";
    HistoryError::new(HistoryErrorKind::Damaged, message)
}
