//! The only thread that writes: it commits all waiting appends together.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};

use super::{
    failure,
    store::{CommitFailure, Store, WriterStatus},
};
use crate::history::{Appended, Entry, HistoryError, HistoryErrorKind, codec};

/// The maximum number of bytes in a commit, unless a single append has more.
const MOST_BYTES: usize = 8 << 20;

/// The maximum number of entries in a commit.
const MOST_ENTRIES: usize = 10_000;

/// The interval between two checks for expired records.
const TICK: Duration = Duration::from_secs(1);

type Answer = Result<Vec<Appended>, HistoryError>;

struct Append {
    entries: Vec<Entry>,
    bytes: usize,
    reply: oneshot::Sender<Answer>,
}

/// The queue to the thread; its drop waits until the thread has ended and the file is synced.
pub(super) struct Writer {
    queue: Option<Sender<Append>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread; the receiver is notified after each commit.
    pub(super) fn start(
        store: Store,
        sync_every: Duration,
    ) -> Result<(Self, watch::Receiver<WriterStatus>), HistoryError> {
        let (queue, appends) = mpsc::channel();
        let (status, statuses) = watch::channel(store.status());
        let state = State { store, status, failure: None };
        let thread = thread::Builder::new().name("sse-file-history".to_owned());
        let thread = thread.spawn(move || state.run(&appends, sync_every)).map_err(|error| {
            let message = "no thread can be started for the file";
            HistoryError::new(HistoryErrorKind::Unavailable, message).with_source(error)
        })?;
        Ok((Self { queue: Some(queue), thread: Some(thread) }, statuses))
    }

    pub(super) fn append(
        &self,
        entries: Vec<Entry>,
        reply: oneshot::Sender<Answer>,
    ) -> Result<(), HistoryError> {
        let bytes = codec::check(&entries)?;
        let sent = self.queue.as_ref().map(|queue| queue.send(Append { entries, bytes, reply }));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(failure::stopped(&HistoryError::new(
                HistoryErrorKind::Unavailable,
                "the writer broke off",
            ))),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // The thread ends after the current commit; the appends that waited have received its panic as an
            // error.
            drop(thread.join());
        }
    }
}

struct State {
    store: Store,
    status: watch::Sender<WriterStatus>,
    failure: Option<HistoryError>,
}

impl State {
    fn run(mut self, appends: &Receiver<Append>, sync_every: Duration) {
        let mut synced = Instant::now();
        loop {
            let first = match appends.recv_timeout(TICK) {
                Ok(append) => append,
                Err(RecvTimeoutError::Timeout) => {
                    if self.failure.is_none() && (self.store.is_trim_due() || self.store.is_replaced()) {
                        self.commit(Vec::new());
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let batch = gather(first, appends, synced + sync_every);
            self.commit(batch);
            synced = Instant::now();
        }
    }

    fn commit(&mut self, batch: Vec<Append>) {
        let (entries, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|append| (append.entries, append.reply)).unzip();
        let answers = match &self.failure {
            Some(cause) => Err(failure::stopped(cause)),
            None => self.try_commit(&entries),
        };
        match answers {
            Ok(answers) => {
                // The tails are notified before the answer is sent, so that the publisher can read its own event.
                self.status.send_replace(self.store.status());
                for (reply, answer) in replies.into_iter().zip(answers) {
                    drop(reply.send(Ok(answer)));
                }
            }
            Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
        }
    }

    fn try_commit(&mut self, entries: &[Vec<Entry>]) -> Result<Vec<Vec<Appended>>, HistoryError> {
        let store = &mut self.store;
        // The storage engine may panic if pages were altered by another program.
        let committed = catch_unwind(AssertUnwindSafe(|| store.commit(entries)))
            .unwrap_or_else(|_| Err(CommitFailure::During(failure::damaged("writing it broke off"))));
        committed.map_err(|error| {
            let (cause, error) = match error {
                CommitFailure::Before(cause) => (cause.clone(), failure::stopped(&cause)),
                CommitFailure::During(cause) => {
                    let message =
                        "the write failed and may have been kept; open the file again, and publish again with the same key";
                    let error = HistoryError::new(HistoryErrorKind::Uncertain, message).with_source(cause.clone());
                    (cause, error)
                }
            };
            tracing::error!(error = %cause, "the history's file cannot be written; it must be opened again");
            let stopped = failure::stopped(&cause);
            self.status.send_modify(|status| status.failure = Some(stopped));
            self.failure = Some(cause);
            error
        })
    }
}

/// Returns all waiting appends, and those that arrive before the next sync is due.
fn gather(first: Append, appends: &Receiver<Append>, due: Instant) -> Vec<Append> {
    let mut bytes = first.bytes;
    let mut entries = first.entries.len();
    let mut batch = vec![first];
    while bytes < MOST_BYTES && entries < MOST_ENTRIES {
        let wait = due.saturating_duration_since(Instant::now());
        let next = if wait.is_zero() {
            appends.try_recv().ok()
        } else {
            match appends.recv_timeout(wait) {
                Ok(append) => Some(append),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => None,
            }
        };
        let Some(next) = next else { break };
        bytes += next.bytes;
        entries += next.entries.len();
        batch.push(next);
    }
    batch
}
