use std::{fmt, sync::Arc};

use futures_core::Stream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    append::Appender, bounds, builder::PostgresHistoryBuilder, connect::Target, failure::Failure, link::Link,
    listener::Wakes, read, schema::Schema, sequencer, settings, shared::Shared, signal, tail,
};
use crate::history::{
    Appended, Entry, History, HistoryBounds, HistoryError, Pattern, Record, SignalReceipt, TailEvent,
    mark::Mark, tail as tail_stream,
};

/// A history in PostgreSQL (14 or newer), in which the application's own transactions publish.
///
/// A handle, cheap to clone. Everything is in one schema, without extensions:
/// `select sse.publish('orders.42', '{"status":"paid"}')` in any transaction of any client, or in a trigger, publishes
/// the event if and when that transaction commits. See [the page about it](crate::docs::postgres).
///
/// **Durability.** An append returns when its transaction is committed, with `synchronous_commit` at least `on`. An
/// event that a transaction published is as durable as that transaction.
///
/// **Failover.** Write all hosts into the URL, separated by commas; the one that accepts writes is used. A failover
/// may lose acknowledged events if the replica lags. They are never lost silently: the start time of the server, the
/// identity of the table and an unlogged row are compared before every write, and a new epoch begins if one of them
/// has changed; readers that received lost events get a gap notice, and the others continue. The same holds for a
/// restored backup or dump, and for records that were deleted by hand.
///
/// **Retention.** See [`PostgresHistoryBuilder::retention`].
///
/// **Keys.** A key is remembered for 24 h; see [`PostgresHistoryBuilder::key_memory`].
///
/// **Connections.** Three for each process, to one server. Connect directly: a pooler in transaction mode drops
/// `LISTEN`, which is detected and logged, costs up to 100 ms of latency, and loses signals. Applications may publish
/// through any pooler.
///
/// **TLS.** `sslmode=require` in the URL encrypts and verifies the server's certificate against the system's roots and
/// [`root_certificates`](PostgresHistoryBuilder::root_certificates). Without it the connection is encrypted if the
/// server offers it, and not verified.
///
/// **While PostgreSQL is unavailable** publishing fails immediately; tails report an error and continue by themselves
/// when it is back.
///
/// ```no_run
/// use sse_core::{Hub, history::PostgresHistory};
///
/// # async fn open() -> Result<(), sse_core::history::HistoryError> {
/// let hub = Hub::open(PostgresHistory::connect("postgres://app@db/shop", "sse").await?).await?;
/// # let _ = hub;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresHistory {
    shared: Arc<Shared>,
    appender: Arc<Appender>,
    /// Ends the tasks with the last handle.
    _tasks: Arc<DropGuard>,
}

impl PostgresHistory {
    /// Connects to `postgres://[user[:password]@]host[:port][,host..]/database[?sslmode=require]` and opens the
    /// history in the schema with this name, which is installed if it does not exist. Must be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Settings`](crate::history::HistoryErrorKind::Settings) if the URL, the name or the password is
    /// wrong, if the server's settings cannot keep the promises, or if the schema is missing and this role may not
    /// install it: the message lists each setting.
    /// [`HistoryErrorKind::Unavailable`](crate::history::HistoryErrorKind::Unavailable) if no server that accepts writes
    /// answers.
    pub async fn connect(url: impl AsRef<str>, name: impl AsRef<str>) -> Result<Self, HistoryError> {
        Self::builder().connect(url, name).await
    }

    /// Returns the options for a history in PostgreSQL.
    pub fn builder() -> PostgresHistoryBuilder {
        PostgresHistoryBuilder::default()
    }

    /// Returns the SQL script that installs the schema with this name, for `psql -1` or for the migrations of sqlx,
    /// refinery or diesel. It must run in one transaction; running it again changes nothing.
    ///
    /// ```
    /// let script = sse_core::history::PostgresHistory::schema("sse")?;
    /// assert!(script.contains("create or replace function sse.publish("));
    /// # Ok::<(), sse_core::history::HistoryError>(())
    /// ```
    ///
    /// # Errors
    /// [`HistoryErrorKind::Settings`](crate::history::HistoryErrorKind::Settings) if the name is not 1 to 41 lower-case
    /// letters, digits and underscores.
    pub fn schema(name: impl AsRef<str>) -> Result<String, HistoryError> {
        Ok(Schema::new(name.as_ref())?.script())
    }

    /// Starts the tasks of an open history.
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let ended = CancellationToken::new();
        let appender = Arc::new(Appender::start(Arc::clone(&shared)));
        tokio::spawn(ended.clone().run_until_cancelled_owned(sequencer::run(Arc::clone(&shared))));
        Self { shared, appender, _tasks: Arc::new(ended.drop_guard()) }
    }
}

impl PostgresHistoryBuilder {
    /// Connects, checks the server and the schema; see [`PostgresHistory::connect`].
    ///
    /// # Errors
    /// As [`PostgresHistory::connect`].
    pub async fn connect(
        self,
        url: impl AsRef<str>,
        name: impl AsRef<str>,
    ) -> Result<PostgresHistory, HistoryError> {
        let schema = Schema::new(name.as_ref())?;
        let wakes = Arc::<Wakes>::default();
        let target = Target::new(url.as_ref(), &self.roots, schema.clone(), Arc::clone(&wakes))?;
        let client = target.client().await.map_err(Failure::connecting)?;
        settings::check(&client).await?;
        settings::install(&client, &schema, self.installs).await?;
        drop(client);
        let link = Link::connect(target).await?;
        let shared = Shared {
            link,
            schema,
            mark: Mark::default(),
            wakes,
            retention: self.retention,
            key_memory: self.key_memory,
        };
        Ok(PostgresHistory::start(Arc::new(shared)))
    }
}

impl History for PostgresHistory {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        self.appender.append(entries).await
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        read::read(&self.shared, after, limit, max_bytes).await
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        let session = self.shared.link.get()?;
        bounds::bounds(&self.shared, &session, patterns).await
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        let session = self.shared.link.get()?;
        signal::send(&self.shared, &session, &entry).await
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        let (changes, mut stream) = tail_stream::channel();
        stream.spawn(signal::follow(self.shared.wakes.signals.subscribe(), changes.clone()));
        stream.spawn(tail::follow(Arc::clone(&self.shared), after, changes));
        stream
    }
}

impl fmt::Debug for PostgresHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresHistory").field("schema", &self.shared.schema).finish_non_exhaustive()
    }
}
