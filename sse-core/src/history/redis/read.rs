//! Reads ranges of the stream.

use redis::{Cmd, aio::MultiplexedConnection};

use super::{answer, answer::damaged, link::Linked, shared::Shared};
use crate::history::{HistoryError, HistoryErrorKind, Record, engine::cut_to_bytes};

/// The number of records requested at once.
const MOST: u64 = 1_000;

/// The maximum number of records in a block, less one.
const WIDEST: u64 = 255;

/// Returns the records after `after`, up to `limit` and to `max_bytes` of lines, but at least one.
pub(super) async fn read(
    shared: &Shared,
    after: u64,
    limit: usize,
    max_bytes: usize,
) -> Result<Vec<Record>, HistoryError> {
    let mut linked = shared.link.get()?;
    let mut records = Vec::with_capacity(limit.min(1_024));
    let mut position = after;
    while records.len() < limit {
        let wanted = u64::try_from(limit - records.len()).unwrap_or(u64::MAX).min(MOST);
        let blocks = range(shared, &mut linked.connection, position, wanted, max_bytes).await;
        let (blocks, foreign) = answer::blocks(blocks.map_err(|error| shared.failed(&linked, error))?)?;
        let before = position;
        for block in blocks.iter().filter(|block| block.last > before) {
            if block.first > position + 1 {
                // A hole; at the beginning it means that the requested records were trimmed.
                break;
            }
            block.records(position, limit, &mut records);
            position = records.last().map_or(position, |record| record.cursor.seq());
        }
        if position == before {
            return if records.is_empty() { at_the_end(shared, linked, after).await } else { Ok(records) };
        }
        // Entries of other clients count towards the number of requested entries.
        let is_all = foreign == 0 && position < before.saturating_add(wanted);
        if is_all || cut_to_bytes(&mut records, max_bytes) {
            break;
        }
    }
    cut_to_bytes(&mut records, max_bytes);
    Ok(records)
}

/// No record follows `after`: correct at the head, otherwise the records were trimmed.
async fn at_the_end(shared: &Shared, mut linked: Linked, after: u64) -> Result<Vec<Record>, HistoryError> {
    let span = shared.scripts.bounds(&mut linked.connection, &shared.settings, &[]).await;
    let span = span.map_err(|error| shared.failed(&linked, error))?;
    if after >= span.head {
        return Ok(Vec::new());
    }
    if after + 1 < span.oldest {
        let message = format!("the record after {after} was trimmed; the oldest is {}", span.oldest);
        return Err(HistoryError::new(HistoryErrorKind::Trimmed, message));
    }
    Err(damaged())
}

async fn range(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    after: u64,
    wanted: u64,
    max_bytes: usize,
) -> redis::RedisResult<redis::Value> {
    let log = &shared.settings.names.log;
    let from = after.saturating_add(1);
    // The last requested block may end beyond the last requested record.
    let to = format!("{}-{}", after.saturating_add(wanted).saturating_add(WIDEST), u64::MAX);
    if max_bytes < usize::MAX {
        return shared.scripts.range(connection, log, (from, &to), wanted, max_bytes).await;
    }
    let mut command = Cmd::new();
    command.arg("XRANGE").arg(log).arg(from).arg(to).arg("COUNT").arg(wanted);
    command.query_async(connection).await
}
