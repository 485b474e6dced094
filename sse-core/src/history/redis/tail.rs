//! The tail: one blocking reader and one listener for signals, each on its own connection.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use redis::{Client, Cmd, RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::task::AbortHandle;

use super::{
    answer, failure,
    link::{Backoff, Primary},
    shared::Shared,
};
use crate::{
    history::{HistoryBounds, HistoryError, TailEvent, codec, foreign, tail::TailEvents},
    resume::{Cursor, EpochTable},
};

/// The time for which a read waits; after that, role, table and bounds are read again.
const BLOCK: Duration = Duration::from_secs(1);

/// The additional time for an answer before the connection is dropped.
const GRACE: Duration = Duration::from_secs(5);

/// The number of blocks read at once.
const COUNT: usize = 64;

/// The reason why a tail's connection was dropped.
enum TailFailure {
    Redis(RedisError),
    History(HistoryError),
    /// The receiver was dropped.
    Gone,
}

impl From<RedisError> for TailFailure {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// Reports everything after a position until the receiver is dropped.
pub(super) async fn follow(shared: Arc<Shared>, after: u64, changes: TailEvents) {
    let mut tail = Tail { shared, changes, position: after, oldest: 0, known: None, is_away: false };
    let mut backoff = Backoff::default();
    loop {
        let error = match tail.session(&mut backoff).await {
            TailFailure::Gone => return,
            TailFailure::Redis(error) => {
                if failure::is_broken(&error) {
                    tail.shared.link.suspect(&error);
                }
                failure::asking(error)
            }
            TailFailure::History(error) => error,
        };
        if !tail.is_away {
            tail.is_away = true;
            if tail.changes.send(Err(error)).await.is_err() {
                return;
            }
        }
        backoff.pause().await;
    }
}

struct Tail {
    shared: Arc<Shared>,
    changes: TailEvents,
    position: u64,
    /// The oldest position that was reported.
    oldest: u64,
    /// The table of epochs that was reported.
    known: Option<EpochTable>,
    is_away: bool,
}

impl Tail {
    /// Runs one connection, from its start to its end.
    async fn session(&mut self, backoff: &mut Backoff) -> TailFailure {
        match self.try_session(backoff).await {
            Ok(never) => match never {},
            Err(broken) => broken,
        }
    }

    async fn try_session(&mut self, backoff: &mut Backoff) -> Result<std::convert::Infallible, TailFailure> {
        let Primary { mut connection, client, server } = self.shared.link.another(BLOCK + GRACE).await?;
        // A receiver may send queries as soon as it gets a report.
        self.shared.link.restore().await?;
        self.stays_with(&server)?;
        let _listener = Listener::start(client, &self.shared, self.changes.clone());
        self.look(&mut connection, false).await?;
        if std::mem::take(&mut self.is_away) {
            self.send(TailEvent::Recovered).await?;
        }
        *backoff = Backoff::default();
        loop {
            let mut read = Cmd::new();
            read.arg("XREAD").arg("COUNT").arg(COUNT).arg("BLOCK").arg(BLOCK.as_millis().to_string());
            read.arg("STREAMS").arg(&self.shared.settings.names.log).arg(format!(
                "{}-{}",
                self.position,
                u64::MAX
            ));
            let (blocks, foreign) = answer::read_blocks(read.query_async(&mut connection).await?)
                .map_err(TailFailure::History)?;
            self.stays_with(&server)?;
            if blocks.is_empty() {
                self.look(&mut connection, foreign > 0).await?;
            }
            if foreign > 0 {
                foreign::skipped("Redis", foreign);
            }
            for block in blocks {
                if block.last <= self.position {
                    continue;
                }
                if !self.is_next(&block) {
                    // Replaced, trimmed, or of another client: the bounds decide which, and from which position to
                    // read again.
                    let before = self.position;
                    self.look(&mut connection, true).await?;
                    if self.position != before || !self.is_next(&block) {
                        self.pass_hole(before, &block).await?;
                        break;
                    }
                }
                let mut records = Vec::new();
                block.records(self.position, usize::MAX, &mut records);
                for record in records {
                    self.position = record.cursor.seq();
                    self.shared.scripts.mark.read(record.cursor);
                    self.send(TailEvent::Record(record)).await?;
                }
            }
        }
    }

    /// Reads and writes must go to the same server.
    fn stays_with(&self, server: &str) -> Result<(), TailFailure> {
        if self.shared.link.is_to(server) {
            return Ok(());
        }
        let error =
            std::io::Error::new(std::io::ErrorKind::NotConnected, "another server is the primary now");
        Err(TailFailure::Redis(error.into()))
    }

    /// Returns whether the block begins at the next position, or before, and has the epoch of its positions.
    fn is_next(&self, block: &answer::Block) -> bool {
        let names = |epochs: &EpochTable| epochs.names(Cursor::new(block.epoch, block.last));
        block.first <= self.position + 1 && self.known.as_ref().is_some_and(names)
    }

    /// Reads role, table and bounds again, and reports changes; removes entries of other clients on request.
    async fn look(
        &mut self,
        connection: &mut MultiplexedConnection,
        sweeps: bool,
    ) -> Result<(), TailFailure> {
        let shared = Arc::clone(&self.shared);
        let HistoryBounds { oldest, head, epochs, .. } = if sweeps {
            shared.scripts.sweep(connection, &shared.settings).await?
        } else {
            shared.scripts.bounds(connection, &shared.settings, &[]).await?
        };
        if self.known.as_ref() != Some(&epochs) {
            // At the start the hub finds the difference itself: its newest record may have been replaced.
            let fork = self.known.as_ref().and_then(|known| known.first_difference(&epochs));
            self.position = self.position.min(fork.map_or(u64::MAX, |fork| fork.saturating_sub(1)));
            self.send(TailEvent::EpochTable(epochs.clone())).await?;
            self.known = Some(epochs);
        }
        let news = oldest > self.oldest.max(1);
        self.oldest = oldest;
        if news {
            self.position = self.position.max(oldest - 1);
            self.send(TailEvent::Trimmed { oldest }).await?;
        }
        // Never read beyond the head, whatever position the hub gave.
        self.position = self.position.min(head.max(oldest.saturating_sub(1)));
        Ok(())
    }

    /// Skips a hole before a block that does not follow although the bounds are known: entries were removed from
    /// the middle of the stream and are lost. A block whose epoch is not in the table is from another client; it
    /// is skipped.
    async fn pass_hole(&mut self, before: u64, block: &answer::Block) -> Result<(), TailFailure> {
        if self.position != before {
            return Ok(());
        }
        foreign::skipped("Redis", 1);
        let is_named =
            self.known.as_ref().is_some_and(|epochs| epochs.names(Cursor::new(block.epoch, block.last)));
        let next = if is_named { block.first } else { block.last + 1 };
        if next > self.position + 1 {
            self.position = next - 1;
            self.send(TailEvent::Trimmed { oldest: next }).await?;
        }
        Ok(())
    }

    async fn send(&self, change: TailEvent) -> Result<(), TailFailure> {
        self.changes.send(Ok(change)).await.map_err(|_| TailFailure::Gone)
    }
}

/// The task that listens for signals; it ends with the reader's connection.
struct Listener(AbortHandle);

impl Listener {
    fn start(client: Client, shared: &Shared, changes: TailEvents) -> Self {
        let channel = shared.settings.names.signals.clone();
        let task = async move {
            let mut backoff = Backoff::default();
            loop {
                if let Err(error) = listen(&client, &channel, &changes, &mut backoff).await {
                    tracing::warn!(%error, "signals from other processes may be missing");
                }
                if changes.is_closed() {
                    return;
                }
                backoff.pause().await;
            }
        };
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(
    client: &Client,
    channel: &str,
    changes: &TailEvents,
    backoff: &mut Backoff,
) -> Result<(), RedisError> {
    let mut connection = in_time(client.get_async_pubsub()).await?;
    in_time(connection.subscribe(channel)).await?;
    *backoff = Backoff::default();
    let mut messages = pin!(connection.on_message());
    while let Some(message) = poll_fn(|cx| messages.as_mut().poll_next(cx)).await {
        let mut bytes = Bytes::copy_from_slice(message.get_payload_bytes());
        let Ok(entry) = codec::read(&mut bytes, &[]) else {
            foreign::skipped("Redis", 1);
            continue;
        };
        if changes.send(Ok(TailEvent::Signal(entry))).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let slow = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    tokio::time::timeout(GRACE, answer).await.map_err(slow)?
}
