use std::time::Duration;

#[cfg(doc)]
use super::PostgresHistory;
use crate::history::Retention;

/// Options for a [`PostgresHistory`].
///
/// Every process that opens the same history should use the same options.
///
/// ```no_run
/// use sse_core::{Retention, history::PostgresHistory};
///
/// # async fn connect() -> Result<(), sse_core::history::HistoryError> {
/// let history = PostgresHistory::builder()
///     .retention(Retention::default().events(100_000))
///     .connect("postgres://app:password@db1,db2/shop?sslmode=require", "sse")
///     .await?;
/// # let _ = history;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `connect`"]
pub struct PostgresHistoryBuilder {
    pub(super) retention: Retention,
    pub(super) key_memory: Duration,
    pub(super) roots: Vec<u8>,
    pub(super) installs: bool,
}

impl Default for PostgresHistoryBuilder {
    fn default() -> Self {
        Self {
            retention: Retention::durable(),
            key_memory: Duration::from_secs(24 * 60 * 60),
            roots: Vec::new(),
            installs: true,
        }
    }
}

impl PostgresHistoryBuilder {
    /// Sets how much of the whole history is kept, whichever limit is reached first. The default is 1,000,000
    /// events, 1 GiB and 7 days.
    ///
    /// Records over a limit are deleted within seconds, 1,000 at a time. The last position of each topic is
    /// remembered longer, so that readers of quiet topics get no needless gap.
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets how long a publisher's key is remembered. The default is 24 h.
    pub fn key_memory(self, key_memory: Duration) -> Self {
        Self { key_memory, ..self }
    }

    /// Adds root certificates in PEM, such as those of a managed service, and requires TLS that is verified.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots.extend_from_slice(pem.as_ref());
        self
    }

    /// Sets whether the schema is installed, or brought to this crate's version, when it is missing or older. The
    /// default is `true`; with `false`, run the script of [`PostgresHistory::schema`] in a migration.
    pub fn install(self, install: bool) -> Self {
        Self { installs: install, ..self }
    }
}
