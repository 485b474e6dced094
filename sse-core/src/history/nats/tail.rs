//! Following the stream: one plain consumer, made again whenever anything is out of order.

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, interval_at};

use super::{
    super::{
        Change, HistoryError,
        tail::{self, Changes, TailStream},
    },
    Inner,
    link::{Ask, Failure, next},
    message::{self, Fields, Stored},
    streams::Info,
    told::Mark,
};
use crate::resume::Cursor;

/// How many records one pull asks for; the next pull goes out when half of them are here.
const PULL: usize = 512;

/// How many bytes one pull asks for at least.
const PULL_BYTES: usize = 4 << 20;

/// How long a pull waits for records.
const EXPIRES: Duration = Duration::from_secs(30);

/// How long the server keeps a consumer that nobody pulls from.
const ABANDONED: Duration = Duration::from_secs(60);

/// How long without a record until the stream is looked at.
const IDLE: Duration = Duration::from_secs(1);

/// How long a leader may be behind another replica.
const LAG: Duration = Duration::from_millis(500);

/// The shortest and the longest pause before another try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The changes after a position; needs a runtime.
pub(super) fn tail(inner: Arc<Inner>, after: u64) -> TailStream {
    let (changes, mut tail) = tail::channel();
    tail.spawn(Follower::new(inner, after, changes).run());
    tail
}

struct Follower {
    inner: Arc<Inner>,
    changes: Changes,
    /// The last record told.
    position: u64,
    /// How many rows of the table were told.
    rows: usize,
    /// Up to where it was told that the stream was trimmed.
    oldest: u64,
    /// Whether an error was told since the stream was last followed.
    is_away: bool,
    /// Whether records could be followed since the last break.
    was_well: bool,
}

/// Why following broke off.
enum Break {
    /// Nobody takes the changes any more.
    Dropped,
    /// The consumer is gone or out of order: make another.
    Again,
    Failed(HistoryError),
}

impl From<HistoryError> for Break {
    fn from(error: HistoryError) -> Self {
        Self::Failed(error)
    }
}

impl From<Failure> for Break {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into_unavailable())
    }
}

impl Follower {
    fn new(inner: Arc<Inner>, after: u64, changes: Changes) -> Self {
        Self { inner, changes, position: after, rows: 0, oldest: 1, is_away: false, was_well: false }
    }

    async fn run(mut self) {
        let mut pause = PAUSES.0;
        // What was found since the reader first asked may have been told to nobody; it is no news for the position.
        let found = self.inner.known().rows().len();
        self.rows = *self.inner.first_rows.get_or_init(|| found);
        let told = self.tell_rows(found).await;
        if told.is_err() {
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
                        if self.tell(Err(error)).await.is_err() {
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
            self.tell(Ok(Change::Recovered)).await?;
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
                    self.tell(Ok(Change::Signal(message::signal(signal, &self.inner.signals)))).await?;
                }
                news = next(&mut news) => {
                    news.ok_or(Break::Again)?;
                    self.settle_again().await?;
                }
                _ = tick.tick() => {
                    let head = self.settle_again().await?;
                    // A consumer that says nothing although there is more has died unnoticed.
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

    /// Finds out whether the stream still holds what was told, tells of new epochs and of what was trimmed before it
    /// could be read.
    async fn settle(&mut self, info: &Info) -> Result<(), Break> {
        self.tell_rows(0).await?;
        let is_suspect = self.position > info.head() || self.inner.first_lost(info).await?.is_some();
        let again = if is_suspect && info.config.num_replicas > 1 {
            // A leader may apply a moment later what another replica has delivered already.
            tokio::time::sleep(LAG).await;
            Some(self.inner.look().await?)
        } else {
            None
        };
        let info = again.as_ref().unwrap_or(info);
        while let Some((begins, mark)) = self.inner.first_lost(info).await? {
            self.inner.fork(begins, mark).await?;
            self.tell_rows(0).await?;
        }
        if self.position > info.head() {
            let epoch = self.inner.known().at(self.position);
            let lost = Mark { seq: self.position, check: 0, epoch };
            self.inner.fork(info.head() + 1, lost).await?;
            self.tell_rows(0).await?;
        }
        if info.oldest() > self.oldest {
            self.oldest = info.oldest();
            self.position = self.position.max(self.oldest - 1);
            self.tell(Ok(Change::Trimmed { oldest: self.oldest })).await?;
        }
        // So that even a stream that loses its end before anything is told can be caught.
        if self.inner.told().last().is_none()
            && self.position > 0
            && let Some(stored) = self.inner.stored(self.position).await?
        {
            let epoch = self.inner.known().at(stored.seq);
            self.inner.told().push(Mark { seq: stored.seq, check: stored.check(), epoch });
        }
        Ok(())
    }

    /// Tells of the rows that were not told yet. Those after the first `old` ones, if they begin before the position,
    /// replace what was told from there on.
    async fn tell_rows(&mut self, old: usize) -> Result<(), Break> {
        loop {
            let row = self.inner.known().rows().get(self.rows).copied();
            let Some(row) = row else { return Ok(()) };
            self.rows += 1;
            if self.rows > old {
                self.position = self.position.min(row.begins.saturating_sub(1));
            }
            self.tell(Ok(Change::Epoch(row))).await?;
        }
    }

    async fn record(&mut self, delivered: &Delivered, message: Message) -> Result<(), Break> {
        if delivered.seq != self.position + 1 {
            // Trimmed before it could be read, or lost on the way: the next look finds out.
            return Err(Break::Again);
        }
        let (epoch, has_news) = {
            let known = self.inner.known();
            (known.at(delivered.seq), known.rows().len() > self.rows)
        };
        if has_news {
            return Err(Break::Again);
        }
        let stored = Stored {
            seq: delivered.seq,
            subject: message.subject.to_string(),
            fields: Fields::of(message.headers.as_ref()),
            nanos: delivered.nanos,
        };
        self.inner.told().push(Mark { seq: stored.seq, check: stored.check(), epoch });
        self.position = stored.seq;
        let record = stored.record(&self.inner.name, message.payload, Cursor::new(epoch, stored.seq));
        self.tell(Ok(Change::Record(record))).await
    }

    async fn tell(&self, change: Result<Change, HistoryError>) -> Result<(), Break> {
        self.changes.send(change).await.map_err(|_| Break::Dropped)
    }
}

/// A consumer that nobody else uses and that the server forgets by itself.
struct Consumer {
    name: String,
    inbox: String,
    messages: Subscriber,
    /// How many records were asked for and are not here yet.
    wanted: usize,
    /// How many records it has given.
    delivered: u64,
}

/// What the reply subject of a record says.
struct Delivered {
    seq: u64,
    consumer_seq: u64,
    nanos: u64,
}

impl Consumer {
    async fn create(inner: &Inner, first: u64) -> Result<Self, Break> {
        #[derive(Deserialize)]
        struct Created {
            name: String,
        }
        let inbox = inner.link.new_inbox();
        let messages = inner.link.subscribe(&inbox).await?;
        let request = json!({
            "stream_name": inner.name,
            "config": {
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": first,
                "ack_policy": "none",
                "replay_policy": "instant",
                "inactive_threshold": nanos(ABANDONED),
                "num_replicas": 1,
                "mem_storage": true,
            },
        });
        let created =
            inner.link.call::<Created>(&format!("CONSUMER.CREATE.{}", inner.name), &request).await?;
        let Created { name } = created.map_err(super::link::Refusal::into_error)?;
        Ok(Self { name, inbox, messages, wanted: 0, delivered: 0 })
    }

    /// Asks for more if less than half of a pull is on its way.
    async fn pull(&mut self, inner: &Inner) -> Result<(), Break> {
        if self.wanted > PULL / 2 {
            return Ok(());
        }
        // A record that does not fit would never come.
        let max_bytes = PULL_BYTES.max(2 * inner.link.max_payload());
        let request = json!({ "batch": PULL, "expires": nanos(EXPIRES), "max_bytes": max_bytes });
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", inner.name, self.name);
        let ask = Ask { subject, headers: HeaderMap::new(), payload: request.to_string().into() };
        inner.link.tell(ask, Some(&self.inbox)).await?;
        self.wanted += PULL;
        Ok(())
    }

    /// The record in a message, if it is not a word about a pull.
    fn take(&mut self, message: Message) -> Result<Option<(Delivered, Message)>, Break> {
        match message.status {
            None | Some(StatusCode::OK) => {}
            Some(StatusCode::IDLE_HEARTBEAT) => return Ok(None),
            // A pull that has ended says how much of it did not come.
            Some(StatusCode::TIMEOUT | StatusCode::REQUEST_TERMINATED) => {
                let headers = message.headers.as_ref();
                let pending = headers.and_then(|headers| headers.get("Nats-Pending-Messages"));
                let pending = pending.and_then(|pending| pending.as_str().parse::<usize>().ok());
                let pending = pending.ok_or(Break::Again)?;
                self.wanted = self.wanted.saturating_sub(pending);
                return Ok(None);
            }
            Some(_) => return Err(Break::Again),
        }
        let delivered = message.reply.as_deref().and_then(Delivered::parse).ok_or(Break::Again)?;
        self.wanted = self.wanted.saturating_sub(1);
        self.delivered += 1;
        if delivered.consumer_seq != self.delivered {
            return Err(Break::Again);
        }
        Ok(Some((delivered, message)))
    }

    async fn delete(&self, inner: &Inner) {
        let ask = Ask::api(&format!("CONSUMER.DELETE.{}.{}", inner.name, self.name), &json!({}));
        if inner.link.tell(ask, None).await.is_err() {
            tracing::debug!("the consumer was not deleted; the server forgets it by itself");
        }
    }
}

impl Delivered {
    /// Reads `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<times>.<seq>.<consumer seq>.<nanos>.<pending>…`.
    fn parse(reply: &str) -> Option<Self> {
        let parts: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let at = if parts.len() > 7 { 5 } else { 3 };
        let number = |at: usize| parts.get(at)?.parse::<u64>().ok();
        Some(Self { seq: number(at)?, consumer_seq: number(at + 1)?, nanos: number(at + 2)? })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
