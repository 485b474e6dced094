use std::{fmt, sync::Arc};

use futures_core::Stream;

use super::{NatsHistoryBuilder, inner::Inner, tail};
use crate::{
    history::{
        Appended, Entry, History, HistoryBounds, HistoryError, Pattern, Record, SignalReceipt, TailEvent,
    },
    resume::Cursor,
};

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
}

impl NatsHistoryBuilder {
    /// Connects to a NATS server and opens the stream `name`, which is created if it is missing.
    ///
    /// Separate several servers of a cluster with commas. The URL contains the user and password, or the token;
    /// `tls://` requests TLS.
    ///
    /// # Errors
    /// [`HistoryError`] of the kind `Unavailable` if no server answers or JetStream is off, and `Settings` if the
    /// server is older than 2.10, the URL or name is not valid, or an existing stream has settings that would lose
    /// events; the message lists each.
    pub async fn connect(
        self,
        url: impl AsRef<str>,
        name: impl AsRef<str>,
    ) -> Result<NatsHistory, HistoryError> {
        let inner = Inner::open(self, url.as_ref(), name.as_ref()).await?;
        Ok(NatsHistory { inner: Arc::new(inner) })
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
