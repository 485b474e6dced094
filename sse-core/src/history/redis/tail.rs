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

use super::{Shared, answer, failure, link::Backoff};
use crate::{
    history::{Change, HistoryError, HistoryErrorKind, Span, codec, tail::Changes},
    resume::EpochStart,
};

/// How long a read waits for something; after that role, table and bounds are read again.
const BLOCK: Duration = Duration::from_secs(1);

/// How much longer than that an answer may take before the connection is given up.
const GRACE: Duration = Duration::from_secs(5);

/// How many blocks are read at once.
const COUNT: usize = 64;

/// Why the connection of a tail was given up.
enum Broken {
    Redis(RedisError),
    History(HistoryError),
    /// Nobody listens any more.
    Gone,
}

impl From<RedisError> for Broken {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// Tells everything after a position until nobody listens.
pub(super) async fn follow(shared: Arc<Shared>, after: u64, changes: Changes) {
    let mut tail = Tail { shared, changes, position: after, oldest: 0, known: Vec::new(), is_away: false };
    let mut backoff = Backoff::default();
    loop {
        let error = match tail.session(&mut backoff).await {
            Broken::Gone => return,
            Broken::Redis(error) => {
                if failure::is_broken(&error) {
                    tail.shared.link.suspect(&error);
                }
                failure::asking(error)
            }
            Broken::History(error) => error,
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
    changes: Changes,
    position: u64,
    /// The oldest position that was told.
    oldest: u64,
    /// The rows of the table that were told.
    known: Vec<EpochStart>,
    is_away: bool,
}

impl Tail {
    /// One connection, from its beginning to its end.
    async fn session(&mut self, backoff: &mut Backoff) -> Broken {
        match self.try_session(backoff).await {
            Ok(never) => match never {},
            Err(broken) => broken,
        }
    }

    async fn try_session(&mut self, backoff: &mut Backoff) -> Result<std::convert::Infallible, Broken> {
        let (mut connection, client) = self.shared.link.another(BLOCK + GRACE).await?;
        // Whoever is told something may ask for more.
        self.shared.link.restore().await?;
        let _listener = Listener::start(client, &self.shared, self.changes.clone());
        self.look(&mut connection).await?;
        if std::mem::take(&mut self.is_away) {
            self.tell(Change::Recovered).await?;
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
            let blocks =
                answer::read_blocks(read.query_async(&mut connection).await?).map_err(Broken::History)?;
            if blocks.is_empty() {
                self.look(&mut connection).await?;
            }
            for block in blocks {
                let is_known = self.known.iter().any(|row| row.epoch == block.epoch);
                if !is_known || block.first > self.position + 1 {
                    // Replaced or trimmed: the bounds say which, and from where on it is read again.
                    let before = self.position;
                    self.look(&mut connection).await?;
                    let is_explained = self.known.iter().any(|row| row.epoch == block.epoch);
                    if !is_explained || self.position != before || block.first > self.position + 1 {
                        self.pass_hole(is_explained, before, block.first).await?;
                        break;
                    }
                }
                let mut records = Vec::new();
                block.records(self.position, usize::MAX, &mut records).map_err(Broken::History)?;
                for record in records {
                    self.position = record.cursor.seq();
                    self.tell(Change::Record(record)).await?;
                }
            }
        }
    }

    /// Reads role, table and bounds again, and tells what is new.
    async fn look(&mut self, connection: &mut MultiplexedConnection) -> Result<(), Broken> {
        let shared = Arc::clone(&self.shared);
        let Span { oldest, epochs, .. } = shared.scripts.span(connection, &shared.settings, &[]).await?;
        // At the beginning nobody knows which of them are new to the listener; the newest record it has may be replaced.
        let is_first = self.known.is_empty();
        for row in epochs.rows() {
            if !self.known.contains(row) {
                if !is_first {
                    self.position = self.position.min(row.begins.saturating_sub(1));
                }
                self.tell(Change::Epoch(*row)).await?;
            }
        }
        self.known = epochs.rows().to_vec();
        let news = oldest > self.oldest.max(1);
        self.oldest = oldest;
        if news {
            self.position = self.position.max(oldest - 1);
            self.tell(Change::Trimmed { oldest }).await?;
        }
        Ok(())
    }

    /// Somebody removed entries from the middle of the stream: what is gone is gone.
    async fn pass_hole(&mut self, is_explained: bool, before: u64, first: u64) -> Result<(), Broken> {
        if !is_explained {
            return Err(Broken::History(HistoryError::new(
                HistoryErrorKind::Unavailable,
                "the table of epochs was replaced while it was read",
            )));
        }
        if self.position == before && first > self.position + 1 {
            self.position = first - 1;
            self.tell(Change::Trimmed { oldest: first }).await?;
        }
        Ok(())
    }

    async fn tell(&self, change: Change) -> Result<(), Broken> {
        self.changes.send(Ok(change)).await.map_err(|_| Broken::Gone)
    }
}

/// The task that listens for signals; it ends with the reader's connection.
struct Listener(AbortHandle);

impl Listener {
    fn start(client: Client, shared: &Shared, changes: Changes) -> Self {
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
    changes: &Changes,
    backoff: &mut Backoff,
) -> Result<(), RedisError> {
    let mut connection = in_time(client.get_async_pubsub()).await?;
    in_time(connection.subscribe(channel)).await?;
    *backoff = Backoff::default();
    let mut messages = pin!(connection.on_message());
    while let Some(message) = poll_fn(|cx| messages.as_mut().poll_next(cx)).await {
        let mut bytes = Bytes::copy_from_slice(message.get_payload_bytes());
        let Ok(entry) = codec::read(&mut bytes, &[]) else { continue };
        if changes.send(Ok(Change::Signal(entry))).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let slow = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    tokio::time::timeout(GRACE, answer).await.map_err(slow)?
}
