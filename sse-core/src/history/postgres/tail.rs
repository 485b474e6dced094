//! The tail: reads from its own position whenever it is notified, and once a second in any case.

use std::{convert::Infallible, sync::Arc, sync::atomic::Ordering, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::{bounds, connect::Session, failure::Failure, link::Backoff, read, shared::Shared};
use crate::{
    history::{HistoryBounds, HistoryError, TailEvent, tail::TailEvents},
    resume::EpochTable,
};

/// The time after which the bounds are read again.
const LOOK: Duration = Duration::from_secs(1);

/// The time between two reads if notifications do not arrive.
const DEAF: Duration = Duration::from_millis(100);

/// The number of records, and of bytes, read at once.
const COUNT: usize = 1_000;
const MAX_BYTES: usize = 4 << 20;

/// The reason why a tail's session ended.
enum TailFailure {
    History(HistoryError),
    /// The receiver was dropped.
    Gone,
}

impl From<HistoryError> for TailFailure {
    fn from(error: HistoryError) -> Self {
        Self::History(error)
    }
}

/// Reports everything after a position until the receiver is dropped.
pub(super) async fn follow(shared: Arc<Shared>, after: u64, changes: TailEvents) {
    let mut tail = Tail { shared, changes, position: after, oldest: 0, known: None, is_away: false };
    let mut backoff = Backoff::default();
    loop {
        let error = match tail.session(&mut backoff).await {
            Ok(never) => match never {},
            Err(TailFailure::Gone) => return,
            Err(TailFailure::History(error)) => error,
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
    /// Follows one session until it ends.
    async fn session(&mut self, backoff: &mut Backoff) -> Result<Infallible, TailFailure> {
        let session = self.shared.link.get()?;
        let mut log = self.shared.wakes.log.subscribe();
        self.look(&session).await?;
        if std::mem::take(&mut self.is_away) {
            self.report(TailEvent::Recovered).await?;
        }
        *backoff = Backoff::default();
        let mut next_look = Instant::now() + LOOK;
        loop {
            if Instant::now() >= next_look {
                self.look(&session).await?;
                next_look = Instant::now() + LOOK;
            }
            // Marked as seen before the read, so that a change during the read causes another one.
            log.borrow_and_update();
            if !self.read(&session).await? {
                self.wait(&session, &mut log, next_look).await?;
            }
        }
    }

    /// Reports the next records; returns whether there were any.
    async fn read(&mut self, session: &Session) -> Result<bool, TailFailure> {
        let records = read::range(&self.shared, session, self.position, COUNT, MAX_BYTES).await;
        let records = records.map_err(|failure| self.shared.failed(session, failure))?;
        let Some(first) = records.first() else { return Ok(false) };
        let (from, to) = (first.cursor, records.last().unwrap_or(first).cursor);
        let agrees = |known: &EpochTable| known.names(from) && known.names(to);
        if !self.known.as_ref().is_some_and(agrees) {
            // An epoch has begun: the bounds decide from which position to read again.
            self.look(session).await?;
            if !self.known.as_ref().is_some_and(agrees) {
                return Ok(true);
            }
        }
        for record in records {
            if record.cursor.seq() != self.position + 1 {
                break;
            }
            self.position = record.cursor.seq();
            self.shared.mark.read(record.cursor);
            self.report(TailEvent::Record(record)).await?;
        }
        Ok(true)
    }

    /// Waits until the log may have grown.
    async fn wait(
        &self,
        session: &Session,
        log: &mut watch::Receiver<()>,
        next_look: Instant,
    ) -> Result<(), TailFailure> {
        let until = if session.hears.load(Ordering::Relaxed) {
            next_look
        } else {
            next_look.min(Instant::now() + DEAF)
        };
        tokio::select! {
            // The sender is in `shared`.
            _ = log.changed() => Ok(()),
            () = tokio::time::sleep_until(until) => Ok(()),
            () = session.ended.cancelled() => Err(self.shared.failed(session, Failure::Slow).into()),
            () = self.changes.closed() => Err(TailFailure::Gone),
        }
    }

    /// Reads table and bounds again, and reports changes.
    async fn look(&mut self, session: &Session) -> Result<(), TailFailure> {
        let HistoryBounds { oldest, head, epochs, .. } = bounds::bounds(&self.shared, session, &[]).await?;
        if self.known.as_ref() != Some(&epochs) {
            // At the start the hub finds the difference itself: its newest record may have been replaced.
            let fork = self.known.as_ref().and_then(|known| known.first_difference(&epochs));
            self.position = self.position.min(fork.map_or(u64::MAX, |fork| fork.saturating_sub(1)));
            self.report(TailEvent::EpochTable(epochs.clone())).await?;
            self.known = Some(epochs);
        }
        if oldest > self.oldest.max(1) {
            self.oldest = oldest;
            self.position = self.position.max(oldest - 1);
            self.report(TailEvent::Trimmed { oldest }).await?;
        }
        self.oldest = oldest;
        // Never read beyond the head, whatever position the hub gave.
        self.position = self.position.min(head.max(oldest.saturating_sub(1)));
        Ok(())
    }

    async fn report(&self, change: TailEvent) -> Result<(), TailFailure> {
        self.changes.send(Ok(change)).await.map_err(|_| TailFailure::Gone)
    }
}
