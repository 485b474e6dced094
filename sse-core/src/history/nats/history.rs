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

use super::{
    NatsHistoryBuilder, answer,
    delivered::Told,
    epochs::{Known, Safety},
    link::{self, Link},
    settings, tail,
};
use crate::history::{
    Appended, Entry, History, HistoryBounds, HistoryError, Pattern, Record, SignalReceipt, TailEvent,
};
use crate::resume::Cursor;

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
/// use sse_core::{Event, Hub, NatsHistory};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::open(NatsHistory::connect("nats://localhost:4222", "shop").await?).await?;
/// hub.publish("prices.eur", Event::message("1.08")).key("order-42").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NatsHistory {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) link: Link,
    pub(super) options: NatsHistoryBuilder,
    /// The stream of events, and the first part of its subjects.
    pub(super) name: String,
    /// The stream of the table of epochs, which is also its subject.
    pub(super) epochs: String,
    /// The first part of the subjects of signals.
    pub(super) signals: String,
    pub(super) known: Mutex<Known>,
    pub(super) told: Mutex<Told>,
    /// The safety that was found for the stream of events.
    pub(super) safety: Mutex<Option<Safety>>,
    /// The number of rows in the table when a reader first asked.
    pub(super) first_rows: OnceLock<usize>,
    /// The connection on which the stream and the table were last looked at, and the time.
    pub(super) fenced: Mutex<Option<(u64, Instant)>>,
    /// The notifications about the table since then: they arrive before the answers that follow from them.
    pub(super) news: Mutex<Subscriber>,
    pub(super) looking: tokio::sync::Mutex<()>,
    pub(super) replays: Semaphore,
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

    pub(super) async fn open(
        options: NatsHistoryBuilder,
        url: &str,
        name: &str,
    ) -> Result<Self, HistoryError> {
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
    pub(super) async fn fence(&self) -> Result<(), HistoryError> {
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

    pub(super) fn is_fenced(&self) -> bool {
        if self.has_news() {
            self.unfence();
            return false;
        }
        let fenced = *self.fenced.lock().unwrap_or_else(PoisonError::into_inner);
        fenced.is_some_and(|(connects, at)| connects == self.link.connects() && at.elapsed() < CURRENT)
    }

    /// Causes another look at the stream and the table before any other request.
    pub(super) fn unfence(&self) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns whether any process has changed the table since the last call.
    pub(super) fn has_news(&self) -> bool {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has_any = false;
        let mut nobody = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(_)) = Pin::new(&mut *news).poll_next(&mut nobody) {
            has_any = true;
        }
        has_any
    }

    pub(super) fn fenced(&self, connects: u64) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) = Some((connects, Instant::now()));
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
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

    async fn span(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        self.inner.span(patterns).await
    }

    async fn holds(&self, cursor: Cursor) -> Result<bool, HistoryError> {
        self.inner.holds(cursor).await
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
