//! Appends: all appends that wait while the server is busy are sent in one call, which is one transaction.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Row, types::Type};

use super::{
    call::{Seen, column, epoch, seq},
    failure::Failure,
    shared::Shared,
};
use crate::{
    history::{Appended, Entry, EntryKind, HistoryError, HistoryErrorKind, Topic, scoped},
    resume::Cursor,
};

/// The number of appends that may wait for the server before publishers wait.
const QUEUE: usize = 1_024;

/// The maximum number of entries in one call, unless a single append has more.
const MAX_ENTRIES: usize = 1_024;

/// The maximum number of bytes in one call, unless a single append has more.
const MAX_BYTES: usize = 4 << 20;

/// The time limit for a commit. A commit may wait for a replica for ever, and is kept although its caller has given up.
const COMMIT: Duration = Duration::from_secs(10);

type Answer = Result<Vec<Appended>, HistoryError>;

struct Append {
    entries: Vec<Entry>,
    reply: oneshot::Sender<Answer>,
}

/// The queue to the task that appends; the task ends when the queue is dropped.
#[derive(Debug)]
pub(super) struct Appender(mpsc::Sender<Append>);

impl Appender {
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let (queue, appends) = mpsc::channel(QUEUE);
        tokio::spawn(run(shared, appends));
        Self(queue)
    }

    pub(super) async fn append(&self, entries: Vec<Entry>) -> Answer {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let stopped = |kind| {
            HistoryError::new(kind, "the runtime that connected to PostgreSQL has ended; connect again")
        };
        let sent = self.0.send(Append { entries, reply }).await;
        sent.map_err(|_| stopped(HistoryErrorKind::Unavailable))?;
        answer.await.unwrap_or_else(|_| Err(stopped(HistoryErrorKind::Uncertain)))
    }
}

async fn run(shared: Arc<Shared>, mut appends: mpsc::Receiver<Append>) {
    let size = |entries: &[Entry]| entries.iter().map(|entry| entry.lines.len()).sum::<usize>();
    while let Some(first) = appends.recv().await {
        let mut bytes = size(&first.entries);
        let mut counts = vec![(first.entries.len(), first.reply)];
        let mut entries = first.entries;
        while entries.len() < MAX_ENTRIES
            && bytes < MAX_BYTES
            && let Ok(next) = appends.try_recv()
        {
            bytes += size(&next.entries);
            counts.push((next.entries.len(), next.reply));
            entries.extend(next.entries);
        }
        match commit(&shared, &entries).await {
            Ok(placed) => {
                let mut placed = placed.into_iter();
                for (count, reply) in counts {
                    drop(reply.send(Ok(placed.by_ref().take(count).collect())));
                }
            }
            Err(error) => counts.into_iter().for_each(|(_, reply)| drop(reply.send(Err(error.clone())))),
        }
    }
}

async fn commit(shared: &Shared, entries: &[Entry]) -> Answer {
    let session = shared.link.get()?;
    let seen = Seen::new(shared.mark.newest());
    let floor = session.floor.load(Ordering::Relaxed);
    let topics: Vec<String> = entries.iter().map(topics).collect();
    let finishes: Vec<bool> = entries.iter().map(|entry| entry.kind == EntryKind::Finish).collect();
    let keys: Vec<Option<Vec<u8>>> = entries.iter().map(key).collect();
    let lines: Vec<&[u8]> = entries.iter().map(|entry| &*entry.lines).collect();
    let [fresh, epoch, seq] = seen.params();
    let params = [
        fresh,
        epoch,
        seq,
        (&floor, Type::INT8),
        (&topics, Type::TEXT_ARRAY),
        (&finishes, Type::BOOL_ARRAY),
        (&keys, Type::BYTEA_ARRAY),
        (&lines, Type::BYTEA_ARRAY),
    ];
    let sql = shared.schema.sql("select * from {sse}.append($1, $2, $3, $4, $5, $6, $7, $8)");
    let answer = tokio::time::timeout(COMMIT, session.writer.query_typed(&sql, &params)).await;
    let rows = match answer {
        Ok(rows) => rows.map_err(Failure::Postgres),
        Err(_) => Err(Failure::Slow),
    };
    let placed =
        rows.and_then(|rows| rows.iter().map(|row| placed(shared, row)).collect::<Result<Vec<_>, _>>());
    let placed = placed.map_err(|failure| {
        shared.check_broken(&session, &failure);
        failure.appending()
    })?;
    if placed.len() != entries.len() {
        let message =
            "PostgreSQL kept the events but answered something unexpected; publish again with the same key";
        return Err(HistoryError::new(HistoryErrorKind::Uncertain, message));
    }
    if let Some(newest) = placed.iter().rfind(|placed| !placed.duplicate) {
        shared.mark.returned(newest.cursor);
    }
    Ok(placed)
}

fn topics(entry: &Entry) -> String {
    entry.topics.iter().map(Topic::as_str).collect::<Vec<_>>().join(" ")
}

/// Returns what is hashed for an entry's key.
fn key(entry: &Entry) -> Option<Vec<u8>> {
    entry.key.as_ref().map(|key| scoped(&entry.topics, key).into_bytes())
}

fn placed(shared: &Shared, row: &Row) -> Result<Appended, Failure> {
    shared.wakes.report_announced(column(row, 3)?);
    let cursor = Cursor::new(epoch(column(row, 0)?), seq(column(row, 1)?));
    Ok(Appended { cursor, duplicate: column(row, 2)? })
}
