use std::{sync::Arc, time::Duration};

use redis::Client;

use super::{RedisHistory, Settings, Shared, append::Appender, failure, link::Link, names::Names, settings};
use crate::history::{HistoryError, Retention};

/// Options for a [`RedisHistory`].
///
/// Every process that opens the same history should use the same options.
///
/// ```no_run
/// use sse_core::{Retention, history::RedisHistory};
///
/// # async fn connect() -> Result<(), sse_core::history::HistoryError> {
/// let history = RedisHistory::builder()
///     .retention(Retention::default().events(100_000))
///     .connect("redis://:password@10.0.0.7:6379", "shop")
///     .await?;
/// # let _ = history;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `connect`"]
pub struct RedisHistoryBuilder {
    retention: Retention,
    key_memory: Duration,
}

impl Default for RedisHistoryBuilder {
    fn default() -> Self {
        Self {
            retention: Retention::durable().bytes(256 << 20),
            key_memory: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl RedisHistoryBuilder {
    /// Sets how much of the whole history is kept, whichever limit is reached first. The default is 1,000,000
    /// events, 256 MiB and 7 days.
    ///
    /// Redis drops whole nodes of about a hundred events, and bytes and age are counted in 64 steps, so somewhat
    /// more than these limits is kept. The last position of each topic is remembered longer, so that readers of
    /// quiet topics get no needless gap.
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets how long a publisher's key is remembered. The default is 24 h.
    pub fn key_memory(self, key_memory: Duration) -> Self {
        Self { key_memory, ..self }
    }

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

/// Returns one client for each URL.
fn clients(urls: &str) -> Result<Vec<Client>, HistoryError> {
    if urls.contains("rediss://") || urls.contains("valkeys://") {
        choose_cryptography();
    }
    urls.split(',').map(|url| Client::open(url.trim()).map_err(failure::connecting)).collect()
}

/// The client's TLS uses the process's default cryptography and panics if there is more than one to choose from.
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // This fails only if another thread has just chosen.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}
