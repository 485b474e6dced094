//! Follows the stream with one plain consumer, which is created again whenever anything is out of order.

use std::{sync::Arc, time::Duration};

use async_nats::Message;
use tokio::time::{Instant, interval_at};

use super::{
    super::{
        HistoryError, TailEvent,
        tail::{self, TailEvents, TailStream},
    },
    answer::Failure,
    consumer::{Break, Consumer, Delivered},
    delivered::Mark,
    inner::Inner,
    link::next,
    message::{self, Fields, Stored},
    streams::Info,
};
use crate::resume::Cursor;

/// The time without a record after which the stream is looked at.
const IDLE: Duration = Duration::from_secs(1);

/// The time by which a leader may be behind another replica.
const LAG: Duration = Duration::from_millis(500);

/// The shortest and the longest pause before another attempt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Returns the changes after a position; needs a runtime.
pub(super) fn tail(inner: Arc<Inner>, after: u64) -> TailStream {
    let (changes, mut tail) = tail::channel();
    tail.spawn(Follower::new(inner, after, changes).run());
    tail
}

struct Follower {
    inner: Arc<Inner>,
    changes: TailEvents,
    /// The position of the last reported record.
    position: u64,
    /// The number of rows of the table that were reported.
    rows: usize,
    /// The oldest position that was reported to be readable.
    oldest: u64,
    /// Whether an error was reported since the stream was last followed.
    is_away: bool,
    /// Whether records could be followed since the last break.
    was_well: bool,
}

impl Follower {
    fn new(inner: Arc<Inner>, after: u64, changes: TailEvents) -> Self {
        Self { inner, changes, position: after, rows: 0, oldest: 1, is_away: false, was_well: false }
    }

    async fn run(mut self) {
        let mut pause = PAUSES.0;
        // Rows found since the reader first asked may not have been reported to any reader; they do not affect the
        // position.
        let found = self.inner.known().rows().len();
        self.rows = *self.inner.first_rows.get_or_init(|| found);
        let sent = self.send_rows(found).await;
        if sent.is_err() {
            return;
        }
        loop {
            match self.follow().await {
                Ok(()) | Err(Break::Dropped) => return,
                Err(Break::Again) => {}
                Err(Break::Failed(error)) => {
                    if self.is_away {
                        tracing::debug!(%error, "the stream still cannot be followed");
                    } else {
                        self.is_away = true;
                        if self.send(Err(error)).await.is_err() {
                            return;
                        }
                    }
                }
            }
            if std::mem::take(&mut self.was_well) {
                pause = PAUSES.0;
            }
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn follow(&mut self) -> Result<(), Break> {
        let info = self.inner.look().await?;
        if std::mem::take(&mut self.is_away) {
            self.send(Ok(TailEvent::Recovered)).await?;
        }
        self.settle(&info).await?;
        let mut signals = self.inner.link.subscribe(&format!("{}.>", self.inner.signals)).await?;
        let mut news = self.inner.link.subscribe(&self.inner.epochs).await?;
        let mut consumer = Consumer::create(&self.inner, self.position + 1).await?;
        let mut lost = self.inner.link.losses();
        let mut tick = interval_at(Instant::now() + IDLE, IDLE);
        let mut behind = None;
        let changes = self.changes.clone();
        loop {
            consumer.pull(&self.inner).await?;
            tokio::select! {
                () = changes.closed() => break,
                _ = lost.changed() => return Err(Failure::Lost.into()),
                message = next(&mut consumer.messages) => {
                    let message = message.ok_or(Break::Again)?;
                    if let Some((delivered, message)) = consumer.take(message)? {
                        self.record(&delivered, message).await?;
                        self.was_well = true;
                        tick.reset();
                    }
                }
                signal = next(&mut signals) => {
                    let signal = signal.ok_or(Break::Again)?;
                    if let Some(entry) = message::signal(signal, &self.inner.signals) {
                        self.send(Ok(TailEvent::Signal(entry))).await?;
                    }
                }
                news = next(&mut news) => {
                    news.ok_or(Break::Again)?;
                    self.settle_again().await?;
                }
                _ = tick.tick() => {
                    let head = self.settle_again().await?;
                    // A consumer that sends nothing although there are more records has died unnoticed.
                    if head > self.position && behind == Some(self.position) {
                        return Err(Break::Again);
                    }
                    behind = Some(self.position);
                }
            }
        }
        consumer.delete(&self.inner).await;
        Ok(())
    }

    /// Looks again; breaks if the position has changed.
    async fn settle_again(&mut self) -> Result<u64, Break> {
        let before = self.position;
        let info = self.inner.look().await?;
        self.settle(&info).await?;
        self.was_well = true;
        if self.position == before { Ok(info.head()) } else { Err(Break::Again) }
    }

    /// Checks whether the stream still holds the reported records, and reports new epochs and records that were
    /// trimmed before they could be read.
    async fn settle(&mut self, info: &Info) -> Result<(), Break> {
        self.send_rows(0).await?;
        let is_suspect =
            self.position > info.head() || self.inner.first_lost(self.position, info).await?.is_some();
        let again = if is_suspect && info.config.num_replicas > 1 {
            // A leader may apply a moment later what another replica has already delivered.
            tokio::time::sleep(LAG).await;
            Some(self.inner.look().await?)
        } else {
            None
        };
        let info = again.as_ref().unwrap_or(info);
        while let Some((begins, mark)) = self.inner.first_lost(self.position, info).await? {
            self.inner.fork(begins, mark).await?;
            self.send_rows(0).await?;
        }
        if self.position > info.head() {
            let epoch = self.inner.known().at(self.position);
            let lost = Mark { seq: self.position, check: 0, epoch };
            self.inner.fork(info.head() + 1, lost).await?;
            self.send_rows(0).await?;
        }
        if info.oldest() > self.oldest {
            self.oldest = info.oldest();
            self.position = self.position.max(self.oldest - 1);
            self.send(Ok(TailEvent::Trimmed { oldest: self.oldest })).await?;
        }
        // With this mark, even a stream that loses its end before any report is detected.
        if self.inner.delivered().last().is_none()
            && self.position > 0
            && let Some(stored) = self.inner.stored(self.position).await?
        {
            let epoch = self.inner.known().at(stored.seq);
            self.inner.delivered().push(Mark { seq: stored.seq, check: stored.check(), epoch });
        }
        Ok(())
    }

    /// Reports the table if it has rows that were not reported yet. Rows after the first `old` ones that begin
    /// before the position replace what was reported from there on.
    async fn send_rows(&mut self, old: usize) -> Result<(), Break> {
        let (table, fork) = {
            let known = self.inner.known();
            if known.rows().len() <= self.rows {
                return Ok(());
            }
            let news = known.rows().iter().skip(self.rows.max(old));
            let fork = news.map(|row| row.begins.saturating_sub(1)).min();
            self.rows = known.rows().len();
            (known.epochs(), fork)
        };
        self.position = self.position.min(fork.unwrap_or(u64::MAX));
        match table {
            Some(table) => self.send(Ok(TailEvent::EpochTable(table))).await,
            None => Ok(()),
        }
    }

    async fn record(&mut self, delivered: &Delivered, message: Message) -> Result<(), Break> {
        if delivered.seq != self.position + 1 {
            // The records were trimmed before they could be read, or lost on the way: the next look decides which.
            return Err(Break::Again);
        }
        let (epoch, table_changed) = {
            let known = self.inner.known();
            (known.at(delivered.seq), known.rows().len() > self.rows)
        };
        if table_changed {
            return Err(Break::Again);
        }
        let stored = Stored {
            seq: delivered.seq,
            subject: message.subject.to_string(),
            fields: Fields::of(message.headers.as_ref(), &message.payload),
            nanos: delivered.nanos,
        };
        self.inner.delivered().push(Mark { seq: stored.seq, check: stored.check(), epoch });
        self.position = stored.seq;
        let record = stored.record(&self.inner.name, message.payload, Cursor::new(epoch, stored.seq));
        self.send(Ok(TailEvent::Record(record))).await
    }

    async fn send(&self, change: Result<TailEvent, HistoryError>) -> Result<(), Break> {
        self.changes.send(change).await.map_err(|_| Break::Dropped)
    }
}
