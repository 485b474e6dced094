//! Appends: all appends that wait while the server is busy are sent in one script.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{answer, failure, shared::Shared};
use crate::history::{Appended, Entry, HistoryError, HistoryErrorKind, codec};

/// The number of appends that may wait for the server before publishers wait.
const QUEUE: usize = 1_024;

/// The maximum number of entries in one script, unless a single append has more.
const MOST_ENTRIES: usize = 1_024;

/// The maximum number of bytes in one script.
const MOST_BYTES: usize = 4 << 20;

type Answer = Result<Vec<Appended>, HistoryError>;

struct Append {
    entries: Vec<Entry>,
    bytes: usize,
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
        let bytes = codec::check(&entries)?;
        let (reply, answer) = oneshot::channel();
        let stopped =
            |kind| HistoryError::new(kind, "the runtime that connected to Redis has ended; connect again");
        let append = Append { entries, bytes, reply };
        self.0.send(append).await.map_err(|_| stopped(HistoryErrorKind::Unavailable))?;
        answer.await.unwrap_or_else(|_| Err(stopped(HistoryErrorKind::Uncertain)))
    }
}

async fn run(shared: Arc<Shared>, mut appends: mpsc::Receiver<Append>) {
    while let Some(first) = appends.recv().await {
        let mut bytes = first.bytes;
        let mut counts = vec![(first.entries.len(), first.reply)];
        let mut entries = first.entries;
        while entries.len() < MOST_ENTRIES
            && bytes < MOST_BYTES
            && let Ok(next) = appends.try_recv()
        {
            bytes += next.bytes;
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
    let mut linked = shared.link.get()?;
    match shared.scripts.append(&mut linked.connection, &shared.settings, entries).await {
        Ok(answers) => {
            let placed = answer::appended(&answers).filter(|placed| placed.len() == entries.len()).ok_or_else(|| {
                let message =
                    "Redis kept the events but answered something unexpected; publish again with the same key";
                HistoryError::new(HistoryErrorKind::Uncertain, message)
            })?;
            if let Some(newest) = placed.iter().rfind(|placed| !placed.duplicate) {
                shared.scripts.mark.returned(newest.cursor);
            }
            Ok(placed)
        }
        Err(error) => {
            if failure::is_broken(&error) {
                shared.link.broken(&linked, &error);
            }
            Err(failure::appending(error))
        }
    }
}
