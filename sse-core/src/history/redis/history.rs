use std::{fmt, sync::Arc};

use futures_core::Stream;
use redis::Cmd;

use super::{
    RedisHistoryBuilder,
    append::Appender,
    failure,
    link::{Link, clients},
    names::Names,
    read,
    settings::{self, Settings},
    shared::Shared,
    tail,
};
use crate::history::{
    Appended, Entry, History, HistoryBounds, HistoryError, Pattern, Record, SignalReceipt, TailEvent, codec,
    tail as tail_stream,
};

/// A history in Redis Streams (6.2 or newer): many processes publish to one order and serve the same ids.
///
/// A handle, cheap to clone. Its keys begin with `sse:{name}:`; no other program should write to them. Entries of
/// other clients are skipped, or removed if they are in the way, and logged.
///
/// **Durability.** An append returns when the primary has it: how safe it is then depends on the server's settings
/// (`appendonly yes` and `appendfsync always` survive a power failure; with the default, `everysec`, the last
/// second does not). Redis replicates asynchronously, so a failover may lose acknowledged events. They are never
/// lost silently: every script compares the server's `master_replid`, and begins a new epoch if it has changed;
/// readers that saw lost events get a gap notice, and the others continue.
///
/// **Failover.** Behind one address that moves (Sentinel with a proxy, a managed service), no configuration is
/// needed. Otherwise name all servers, separated by commas; the one that is the primary is used.
///
/// **A server that became older** (a former primary that was never demoted, a restored copy, an emptied server)
/// lacks records that a process has seen. Every script checks for this, and begins a new epoch; readers get a gap
/// notice from the position where the two differ.
///
/// **Retention.** See [`RedisHistoryBuilder::retention`].
///
/// **Keys.** A key is remembered for 24 h; see [`RedisHistoryBuilder::key_memory`].
///
/// **While Redis is unavailable** publishing fails immediately; tails report an error and continue by themselves
/// when it is back.
///
/// ```no_run
/// use sse_core::{Hub, history::RedisHistory};
///
/// # async fn open() -> Result<(), sse_core::history::HistoryError> {
/// let hub = Hub::open(RedisHistory::connect("redis://127.0.0.1:6379", "shop").await?).await?;
/// # let _ = hub;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisHistory {
    shared: Arc<Shared>,
    appender: Arc<Appender>,
}

/// The data that the tasks share.
impl RedisHistory {
    /// Connects to `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS, and opens the history with
    /// this name. Several URLs are separated by commas. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`HistoryErrorKind::Settings`](crate::history::HistoryErrorKind::Settings) if the URL or the password is wrong, or
    /// if the server's settings cannot keep the promises: the message lists each setting.
    /// [`HistoryErrorKind::Unavailable`](crate::history::HistoryErrorKind::Unavailable) if no primary answers.
    pub async fn connect(url: impl AsRef<str>, name: impl AsRef<str>) -> Result<Self, HistoryError> {
        Self::builder().connect(url, name).await
    }

    /// Returns the options for a history in Redis.
    pub fn builder() -> RedisHistoryBuilder {
        RedisHistoryBuilder::default()
    }
}

impl RedisHistoryBuilder {
    /// Connects and checks the server; see [`RedisHistory::connect`].
    ///
    /// # Errors
    /// As [`RedisHistory::connect`].
    pub async fn connect(
        self,
        url: impl AsRef<str>,
        name: impl AsRef<str>,
    ) -> Result<RedisHistory, HistoryError> {
        let names = Names::new(name.as_ref())?;
        let link = Link::connect(clients(url.as_ref())?).await?;
        let mut linked = link.get()?;
        let wrong = settings::check(&mut linked.connection, &names).await.map_err(failure::connecting)?;
        if let Some(error) = wrong {
            return Err(error);
        }
        let settings = Settings { names, retention: self.retention, key_memory: self.key_memory };
        let shared = Arc::new(Shared { link, settings, scripts: Default::default() });
        let appender = Arc::new(Appender::start(Arc::clone(&shared)));
        Ok(RedisHistory { shared, appender })
    }
}

impl History for RedisHistory {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        self.appender.append(entries).await
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        read::read(&self.shared, after, limit, max_bytes).await
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        let mut linked = self.shared.link.get()?;
        let span = self.shared.scripts.bounds(&mut linked.connection, &self.shared.settings, patterns).await;
        span.map_err(|error| self.shared.failed(&linked, error))
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        let mut linked = self.shared.link.get()?;
        codec::check(std::slice::from_ref(&entry))?;
        let mut bytes = Vec::new();
        codec::write(&entry, &mut bytes);
        let mut publish = Cmd::new();
        publish.arg("PUBLISH").arg(&self.shared.settings.names.signals).arg(bytes);
        let processes: u64 = publish
            .query_async(&mut linked.connection)
            .await
            .map_err(|error| self.shared.failed(&linked, error))?;
        Ok(SignalReceipt { processes: Some(processes) })
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        let (changes, mut stream) = tail_stream::channel();
        stream.spawn(tail::follow(Arc::clone(&self.shared), after, changes));
        stream
    }
}

impl fmt::Debug for RedisHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisHistory").field("log", &self.shared.settings.names.log).finish_non_exhaustive()
    }
}
