//! Reads ranges of the log.

use bytes::Bytes;
use tokio_postgres::{Row, types::Type};

use super::{
    bounds,
    call::{Param, call, column, epoch, position, seq},
    connect::Session,
    failure::Failure,
    shared::Shared,
};
use crate::{
    history::{EntryKind, HistoryError, HistoryErrorKind, Record, Topic, engine::cut_to_bytes, foreign},
    resume::Cursor,
};

/// The number of records requested at once.
const MAX_RECORDS: usize = 1_000;

/// Returns the records after `after`, up to `limit` and to `max_bytes` of lines, but at least one.
pub(super) async fn read(
    shared: &Shared,
    after: u64,
    limit: usize,
    max_bytes: usize,
) -> Result<Vec<Record>, HistoryError> {
    let session = shared.link.get()?;
    let mut records: Vec<Record> = Vec::with_capacity(limit.min(MAX_RECORDS));
    let mut bytes = 0;
    while records.len() < limit {
        let wanted = (limit - records.len()).min(MAX_RECORDS);
        let position = records.last().map_or(after, |record| record.cursor.seq());
        let next = range(shared, &session, position, wanted, max_bytes.saturating_sub(bytes)).await;
        let next = next.map_err(|failure| shared.failed(&session, failure))?;
        if next.is_empty() && records.is_empty() {
            return at_the_end(shared, &session, after).await;
        }
        let is_all = next.len() < wanted;
        bytes += next.iter().map(|record| record.lines.len()).sum::<usize>();
        records.extend(next);
        if cut_to_bytes(&mut records, max_bytes) || is_all {
            break;
        }
    }
    Ok(records)
}

/// Returns the next records, up to the first hole.
pub(super) async fn range(
    shared: &Shared,
    session: &Session,
    after: u64,
    wanted: usize,
    max_bytes: usize,
) -> Result<Vec<Record>, Failure> {
    let count = i64::try_from(wanted).unwrap_or(i64::MAX);
    let (from, bytes) = (position(after), i64::try_from(max_bytes).unwrap_or(i64::MAX));
    let params: [Param<'_>; 3] = [(&from, Type::INT8), (&count, Type::INT8), (&bytes, Type::INT8)];
    let sql = shared.schema.sql("select * from {sse}.read($1, $2, $3)");
    let rows = call(&session.reader, &sql, &params).await?;
    let mut records: Vec<Record> = Vec::with_capacity(wanted.min(MAX_RECORDS));
    let mut known = (String::new(), Vec::new());
    for (row, expected) in rows.iter().zip(after.saturating_add(1)..) {
        if seq(column(row, 0)?) != expected {
            break;
        }
        records.push(record(row, expected, &mut known)?);
    }
    Ok(records)
}

/// Returns a row as a record. The topics of the row before are shared.
fn record(row: &Row, seq: u64, known: &mut (String, Vec<Topic>)) -> Result<Record, Failure> {
    let cursor = Cursor::new(epoch(column::<Option<i64>>(row, 1)?.unwrap_or(0)), seq);
    let kind = if column(row, 2)? { EntryKind::Finish } else { EntryKind::Event };
    let text: &str = column(row, 3)?;
    if known.0 != text {
        // A row of another client keeps its position, without topics.
        let topics = text.split(' ').map(Topic::new).collect::<Result<_, _>>().unwrap_or_else(|_| {
            foreign::skipped("PostgreSQL", 1);
            Vec::new()
        });
        *known = (text.to_owned(), topics);
    }
    let lines = Bytes::copy_from_slice(column(row, 4)?);
    Ok(Record { cursor, topics: known.1.clone(), kind, lines })
}

/// No record follows `after`: correct at the head, otherwise the records were removed.
async fn at_the_end(shared: &Shared, session: &Session, after: u64) -> Result<Vec<Record>, HistoryError> {
    let bounds = bounds::bounds(shared, session, &[]).await?;
    if after >= bounds.head {
        return Ok(Vec::new());
    }
    if after + 1 < bounds.oldest {
        let message = format!("the record after {after} was trimmed; the oldest is {}", bounds.oldest);
        return Err(HistoryError::new(HistoryErrorKind::Trimmed, message));
    }
    let message = "the log changed while it was read; try again later";
    Err(HistoryError::new(HistoryErrorKind::Unavailable, message))
}
