//! The bounds of the history, and the last positions of topics.

use tokio_postgres::{Row, types::Type};

use super::{
    call::{Param, Seen, call, column, epoch, seq},
    connect::Session,
    failure::Failure,
    shared::Shared,
};
use crate::{
    history::{HistoryBounds, HistoryError, HistoryErrorKind, Pattern, Topic, matcher::Matcher},
    resume::{Cursor, EpochRow, EpochTable},
};

/// The number of newest records in which wildcards are looked for first.
const NEWEST: i32 = 500;

/// The number of topics that the server returns at once.
const PAGE: usize = 1_000;

/// The maximum number of topics searched for one query. Beyond that the answer is the head, which is an upper bound.
const MAX_SEARCHED: usize = 10_000;

/// Returns the bounds, with the last positions of the records that the patterns match.
pub(super) async fn bounds(
    shared: &Shared,
    session: &Session,
    patterns: &[Pattern],
) -> Result<HistoryBounds, HistoryError> {
    let failed = |failure| shared.failed(session, failure);
    let mut bounds = exact(shared, session, patterns).await.map_err(failed)?.ok_or_else(|| {
        HistoryError::new(
            HistoryErrorKind::Damaged,
            "its table of epochs has no row; restore it from a backup",
        )
    })?;
    shared.mark.returned(Cursor::new(bounds.epochs.current(), bounds.head));
    let wild: Vec<&Pattern> = patterns.iter().filter(|pattern| !pattern.is_exact()).collect();
    if !wild.is_empty() {
        let last = last_of(shared, session, &wild, bounds.head).await.map_err(failed)?;
        bounds.last = bounds.last.max(last);
        bounds.trimmed = bounds.trimmed.max(last.min(bounds.oldest.saturating_sub(1)));
    }
    Ok(bounds)
}

/// Returns the bounds for the exact topics; `None` without epochs.
async fn exact(
    shared: &Shared,
    session: &Session,
    patterns: &[Pattern],
) -> Result<Option<HistoryBounds>, Failure> {
    let seen = Seen::new(shared.mark.newest());
    let topics: Vec<&str> =
        patterns.iter().filter(|pattern| pattern.is_exact()).map(Pattern::as_str).collect();
    let [fresh, newest, at] = seen.params();
    let sql = shared.schema.sql("select * from {sse}.bounds($1, $2, $3, $4)");
    let rows = call(&session.reader, &sql, &[fresh, newest, at, (&topics, Type::TEXT_ARRAY)]).await?;
    rows.first().map_or(Ok(None), decode)
}

fn decode(row: &Row) -> Result<Option<HistoryBounds>, Failure> {
    let epochs: Option<Vec<i64>> = column(row, 5)?;
    let rows = epochs.unwrap_or_default();
    let rows = rows.chunks_exact(2).filter_map(|pair| {
        let [begins, bits] = pair else { return None };
        Some(EpochRow { epoch: epoch(*bits), begins: seq(*begins) })
    });
    let Some(epochs) = EpochTable::from_rows(rows.collect()) else { return Ok(None) };
    let finished = column::<Option<Vec<String>>>(row, 4)?.unwrap_or_default();
    let finished = finished.iter().filter_map(|finish| {
        let (topic, seq) = finish.split_once(' ')?;
        let seq = seq.parse().ok()?;
        Some((Topic::new(topic).ok()?, Cursor::new(epochs.at(seq), seq)))
    });
    let finished = finished.collect();
    let at = |index| column(row, index).map(seq);
    let (oldest, head, last, trimmed) = (at(0)?, at(1)?, at(2)?, at(3)?);
    Ok(Some(HistoryBounds { oldest, head, epochs, last: last.min(head), trimmed, finished }))
}

/// Returns the last position of a record whose topic matches one of the patterns, or the head if there are too many
/// topics.
async fn last_of(shared: &Shared, session: &Session, wild: &[&Pattern], head: u64) -> Result<u64, Failure> {
    let matcher = Matcher::new(wild.iter().copied());
    let sql = shared.schema.sql("select * from {sse}.newest($1)");
    for row in call(&session.reader, &sql, &[(&NEWEST, Type::INT4)]).await? {
        let topics: &str = column(&row, 1)?;
        if topics.split(' ').any(|topic| matcher.matches(topic)) {
            return Ok(seq(column(&row, 0)?));
        }
    }
    let sql = shared.schema.sql("select * from {sse}.topics($1, $2, $3)");
    let page = i32::try_from(PAGE).unwrap_or(i32::MAX);
    let (mut last, mut searched) = (forgotten(shared, session).await?, 0);
    let mut prefixes: Vec<&str> = wild.iter().map(|pattern| pattern.literal_prefix()).collect();
    prefixes.sort_unstable();
    // A prefix of another one finds its topics too.
    prefixes.dedup_by(|longer, shorter| longer.starts_with(&**shorter));
    for prefix in prefixes {
        let mut after = prefix.to_owned();
        loop {
            let params: [Param<'_>; 3] = [(&prefix, Type::TEXT), (&after, Type::TEXT), (&page, Type::INT4)];
            let rows = call(&session.reader, &sql, &params).await?;
            for row in &rows {
                if matcher.matches(column(row, 0)?) {
                    last = last.max(seq(column(row, 1)?));
                }
            }
            searched += rows.len();
            let Some(end) = rows.last().filter(|_| rows.len() >= PAGE) else { break };
            if searched >= MAX_SEARCHED {
                return Ok(head);
            }
            after = column(end, 0)?;
        }
    }
    Ok(last)
}

/// Returns the highest last position of the topics that are not remembered: they may match.
async fn forgotten(shared: &Shared, session: &Session) -> Result<u64, Failure> {
    let rows = call(&session.reader, &shared.schema.sql("select {sse}.forgotten()"), &[]).await?;
    rows.first().map_or(Ok(0), |row| column(row, 0).map(seq))
}
