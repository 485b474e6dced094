//! NATS JetStream: the sequence numbers of a stream are the positions.
//!
//! # Why an id names one record
//! A JetStream sequence number alone does not name one record: a server that is killed, or whose store is restored
//! from a copy, may come back without the end of the stream and use its numbers again, while `created` stays the
//! same and clients reconnect by themselves. So an id is `<epoch>-<seq>-<check>`. The check is 32 random bits that
//! the publisher puts into a header, and for messages of foreign publishers a hash of the server's timestamp; two
//! records at one position differ in it except for one case in 2^32. Unlike a timestamp, which the acknowledgement
//! does not contain, it needs no second request per append. On resume, the record at the cursor is compared with
//! the check.
//!
//! # Why two nodes agree on the epochs
//! The table of epochs is the newest message of a separate stream, `<name>-epochs`. It is replaced as a whole and
//! only if no other process was first (`Nats-Expected-Last-Subject-Sequence`), so all processes see the same rows
//! in the same order; each process only adds rows to those it knows. A row is added
//! - when there is no table, or when `created` differs from the time in the table: the stream is new, and the
//!   epoch begins at 1, so that every older cursor is a fork;
//! - when the stream has one replica and the server that leads it is in another run than the table records. A
//!   server has a new id in each run. Every process checks this on each new connection *before* it appends or
//!   reads, so nothing is written in a run before its row is stored, and the row begins exactly after what
//!   survived: readers of the lost records are beyond the fork, all others before it. A harmless restart costs a
//!   row and gives no reader a gap;
//! - when a process finds that records which it sent to its readers are lost; this detects the loss in a
//!   replicated stream, or in one restored under a running server. On every connection, on every new consumer and
//!   every second of idling, the tail compares the last record that it reported. If that record differs or is
//!   missing, the tail searches backwards for the last one that is still there, and begins the epoch after it,
//!   unless another process has done so.
//!
//! Every process receives a new row on the connection on which it appends and reads. The row is stored before
//! anything is appended to a stream that was created again, so the notification arrives before the acknowledgement
//! of any later append. An acknowledgement of a position that was known before, which only a stream that was
//! created again can give, is checked first. So the id in a receipt names the same epoch as the ids that readers
//! receive.
//!
//! The table may lose its own end along with the stream. Then a cursor of a lost epoch is a gap of an unknown
//! epoch, which is one gap too many and never one too few. An append that was on its way while the server
//! restarted may arrive before the row; its id still differs in the check, and the comparison finds the fork.
//!
//! Signals and notifications of the table use plain publish-subscribe, so that positions stay dense.

mod answer;
mod append;
mod builder;
mod consumer;
mod epochs;
mod link;
mod message;
mod read;
mod settings;
mod streams;
mod tail;
mod told;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_nats::Subscriber;
use futures_core::Stream;
use tokio::{sync::Semaphore, time::Instant};

pub use builder::{NatsHistoryBuilder, NatsStorage};

use super::{
    Appended, Entry, History, HistoryBounds, HistoryError, Pattern, Record, SignalReceipt, TailEvent,
};
use crate::resume::Cursor;
use epochs::{Known, Safety};
use link::Link;
use told::Told;

/// The number of concurrent reads of records; further reads wait.
const READS: usize = 8;

/// The time for which the table of epochs counts as current without another look, while the connection lasts.
const CURRENT: Duration = Duration::from_secs(5);

/// A history in NATS JetStream: many processes share one order.
///
/// A handle, cheap to clone: every clone is the same connection.
///
/// The topic `prices.eur` of the history `shop` is the subject `shop.prices.eur` of the stream `shop`, so other
/// NATS clients can read the stream, and a message that they publish there becomes an event with the payload as
/// its data. A message with this crate's headers and well-formed lines counts as one of its own: give the right to
/// publish there only to clients that may publish events. An event of several topics is one message on
/// `shop.$multi`. The table of epochs is in the stream `shop-epochs`, and signals use plain publish-subscribe on
/// `shop-signal.>`.
///
/// Promises and limits:
/// - An acknowledged event is as safe as the stream: with one replica it survives the server's restart, and a
///   power failure if the server's `sync_interval` is `always`. An event that is lost after a reader saw it is a
///   gap for that reader.
/// - A key is remembered for the stream's duplicate window, 2 minutes by default.
/// - Several entries of one append are stored in their order, but not all or none of them: if the connection
///   breaks in between, the error is of the kind `Uncertain`.
/// - A topic whose events were trimmed gives a gap to a cursor from before the oldest event, although none of its
///   events may be missing, unless this process has seen all events since the cursor: JetStream does not remember
///   their positions.
/// - The number of processes that a signal reached is unknown.
/// - Events cannot be deleted or purged, because that would renumber or hide events; the limits trim the oldest. A
///   stream that was deleted is created again, and every reader gets a gap notice.
///
/// ```no_run
/// use sse_core::{Event, Hub, history::NatsHistory};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::open(NatsHistory::connect("nats://localhost:4222", "shop").await?).await?;
/// hub.publish("prices.eur", Event::message("1.08")).key("order-42").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NatsHistory {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    options: NatsHistoryBuilder,
    /// The stream of events, and the first part of its subjects.
    name: String,
    /// The stream of the table of epochs, which is also its subject.
    epochs: String,
    /// The first part of the subjects of signals.
    signals: String,
    known: Mutex<Known>,
    told: Mutex<Told>,
    /// The safety that was found for the stream of events.
    safety: Mutex<Option<Safety>>,
    /// The number of rows in the table when a reader first asked.
    first_rows: OnceLock<usize>,
    /// The connection on which the stream and the table were last looked at, and the time.
    fenced: Mutex<Option<(u64, Instant)>>,
    /// The notifications about the table since then: they arrive before the answers that follow from them.
    news: Mutex<Subscriber>,
    looking: tokio::sync::Mutex<()>,
    replays: Semaphore,
}

impl NatsHistory {
    /// Connects to a NATS server, 2.10 or newer, and opens the stream `name`, which is created if it is missing.
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// As [`NatsHistoryBuilder::connect`].
    pub async fn connect(url: impl AsRef<str>, name: impl AsRef<str>) -> Result<Self, HistoryError> {
        Self::builder().connect(url, name).await
    }

    /// Returns the options for a history.
    pub fn builder() -> NatsHistoryBuilder {
        NatsHistoryBuilder::default()
    }

    async fn open(options: NatsHistoryBuilder, url: &str, name: &str) -> Result<Self, HistoryError> {
        settings::check_name(name)?;
        let link = Link::connect(url).await?;
        settings::check_version(&link.server().version)?;
        let epochs = format!("{name}-epochs");
        let news = link.subscribe(&epochs).await.map_err(answer::Failure::into_unavailable)?;
        let inner = Inner {
            link,
            options,
            name: name.to_owned(),
            epochs,
            signals: format!("{name}-signal"),
            known: Mutex::default(),
            told: Mutex::default(),
            safety: Mutex::default(),
            first_rows: OnceLock::new(),
            fenced: Mutex::new(None),
            news: Mutex::new(news),
            looking: tokio::sync::Mutex::new(()),
            replays: Semaphore::new(READS),
        };
        let info = inner.look().await?;
        info.config.warn_of_limits(name, &inner.options);
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Inner {
    /// Ensures that the stream and the table were looked at on this connection, within the last [`CURRENT`].
    async fn fence(&self) -> Result<(), HistoryError> {
        if !self.link.is_connected() {
            return Err(answer::Failure::NotConnected.into_unavailable());
        }
        if self.is_fenced() {
            return Ok(());
        }
        let one_at_a_time = tokio::time::timeout(link::ANSWER, self.looking.lock());
        let _one_at_a_time = one_at_a_time.await.map_err(|_| answer::Failure::Lost.into_unavailable())?;
        if self.is_fenced() { Ok(()) } else { self.look().await.map(drop) }
    }

    fn is_fenced(&self) -> bool {
        if self.has_news() {
            self.unfence();
            return false;
        }
        let fenced = *self.fenced.lock().unwrap_or_else(PoisonError::into_inner);
        fenced.is_some_and(|(connects, at)| connects == self.link.connects() && at.elapsed() < CURRENT)
    }

    /// Causes another look at the stream and the table before any other request.
    fn unfence(&self) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns whether any process has changed the table since the last call.
    fn has_news(&self) -> bool {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has_any = false;
        let mut nobody = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(_)) = Pin::new(&mut *news).poll_next(&mut nobody) {
            has_any = true;
        }
        has_any
    }

    fn fenced(&self, connects: u64) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) = Some((connects, Instant::now()));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History for NatsHistory {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        self.inner.append(entries).await
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        self.inner.read(after, limit, max_bytes).await
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        self.inner.bounds(patterns).await
    }

    async fn verify(&self, cursor: Cursor) -> Result<bool, HistoryError> {
        self.inner.verify(cursor).await
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        self.inner.signal(entry).await
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        tail::tail(Arc::clone(&self.inner), after)
    }
}

impl fmt::Debug for NatsHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsHistory").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
