//! Finds the topics that match wildcards: page by page, so that no query blocks the server for long.

use redis::{Cmd, RedisResult, aio::MultiplexedConnection};

use super::{
    answer::{BoundsReply, Row},
    names::Names,
};
use crate::history::{Pattern, matcher::Matcher};

/// The number of topics that the server returns at once: less than a millisecond of its time.
pub(super) const PAGE: usize = 500;

/// The maximum number of topics scanned for one query, for all its patterns together. Beyond that the answer is
/// the head, which is an upper bound.
const MOST_SCANNED: usize = 10_000;

/// Returns the last position of a record of a topic that matches one of the patterns, or that was forgotten; the
/// first page was returned with the bounds. The newest topics come first, so the first match decides.
pub(super) async fn last_of(
    connection: &mut MultiplexedConnection,
    names: &Names,
    wild: &[&Pattern],
    reply: &BoundsReply,
) -> RedisResult<u64> {
    let (head, forgotten) = (reply.head, reply.forgotten);
    let matcher = Matcher::new(wild.iter().copied());
    let matches = |name: &[u8]| std::str::from_utf8(name).is_ok_and(|name| matcher.matches(name));
    let mut page = reply.newest.clone();
    let mut scanned = 0;
    let last = loop {
        if let Some(last) = last_on(&page, forgotten, matches) {
            break last;
        }
        scanned += page.len();
        let Some((_, lowest)) = page.last().filter(|_| page.len() >= PAGE) else { break forgotten };
        let lowest = *lowest;
        if scanned >= MOST_SCANNED {
            return Ok(head);
        }
        page = rows(connection, "ZREVRANGEBYSCORE", names, (lowest.to_string(), "-inf".to_owned())).await?;
        if page.len() >= PAGE && page.last().is_some_and(|(_, seq)| *seq >= lowest) {
            // Too many topics of one position to continue after it.
            return Ok(head);
        }
    };
    if scanned == 0 {
        return Ok(last);
    }
    // Between two pages topics may have moved up, or may have been forgotten.
    let moved = rows(connection, "ZRANGEBYSCORE", names, (format!("({head}"), "+inf".to_owned())).await?;
    if moved.len() >= PAGE || moved.iter().any(|(name, _)| matches(name)) {
        return Ok(head);
    }
    let forgotten: Option<u64> =
        Cmd::new().arg("HGET").arg(&names.meta).arg("forgotten").query_async(connection).await?;
    Ok(last.max(forgotten.unwrap_or(0)))
}

/// Returns the result, if this page decides it: a topic matches, or all further topics are older than the
/// forgotten ones.
fn last_on(page: &[Row], forgotten: u64, matches: impl Fn(&[u8]) -> bool) -> Option<u64> {
    page.iter().find_map(|(name, seq)| {
        let seq = *seq as u64;
        if seq <= forgotten { Some(forgotten) } else { matches(name).then_some(seq) }
    })
}

async fn rows(
    connection: &mut MultiplexedConnection,
    command: &str,
    names: &Names,
    (from, to): (String, String),
) -> RedisResult<Vec<Row>> {
    let mut query = Cmd::new();
    query.arg(command).arg(&names.topics).arg(from).arg(to);
    query.arg("WITHSCORES").arg("LIMIT").arg(0).arg(PAGE).query_async(connection).await
}
