use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
};

use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sse_core::{
    Hub, HubBuilder, KeepAlive, Shutdown,
    history::{History, HistoryError},
};
use tokio::sync::watch;

use crate::{Options, metrics, options, prometheus};

/// The application without its web framework: cheap to clone, and available to every handler.
#[derive(Debug, Clone)]
pub struct App {
    /// The hub with the events.
    pub hub: Hub,
    /// The handle that ends the streams, the server and the process.
    pub shutdown: Shutdown,
    /// The command line.
    pub options: Arc<Options>,
    framework: &'static str,
    recorder: PrometheusHandle,
    /// The beginning of the line on stdout that announces the address.
    says: &'static str,
    listens: watch::Sender<Option<SocketAddr>>,
}

impl App {
    /// Opens the hub. Must be called within a Tokio runtime, because it listens for SIGTERM and Ctrl-C from now on.
    ///
    /// # Errors
    /// One line that states why the history cannot be opened.
    pub async fn open(framework: &'static str, options: Options) -> Result<Self, String> {
        Self::begin(framework, options, async |hub, options| open(hub, options).await).await
    }

    /// Opens the hub over a history that is already open, whatever the command line requests.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn over(
        history: impl History,
        framework: &'static str,
        options: Options,
    ) -> Result<Self, String> {
        Self::begin(framework, options, async |hub, _| hub.open(history).await).await
    }

    async fn begin(
        framework: &'static str,
        options: Options,
        open: impl AsyncFnOnce(HubBuilder, &Options) -> Result<Hub, HistoryError>,
    ) -> Result<Self, String> {
        let recorder = prometheus::recorder().map_err(|error| error.to_string())?;
        let shutdown = Shutdown::within(options.drain).on_signals();
        let hub = Hub::builder().retention(options.retention).shutdown(shutdown.clone());
        let hub = open(hub, &options).await.map_err(|error| format!("--history: {error}"))?;
        let (options, listens) = (Arc::new(options), watch::Sender::new(None));
        Ok(Self { hub, shutdown, options, framework, recorder, says: "listening on", listens })
    }

    /// Sets the beginning of the line on stdout, for a process with several applications.
    #[must_use]
    pub fn saying(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    /// Publishes this machine's metrics every second until the shutdown.
    pub async fn publish_metrics(self) {
        metrics::publish(self.hub, self.shutdown).await;
    }

    /// Waits until the application accepts connections, and returns its address.
    pub async fn address(&self) -> Option<SocketAddr> {
        let mut listens = self.listens.subscribe();
        listens.wait_for(Option::is_some).await.ok().and_then(|address| *address)
    }

    /// The keep-alive of the streams.
    pub fn keep_alive(&self) -> KeepAlive {
        KeepAlive::every(self.options.keep_alive)
    }

    /// Prints on stdout that connections are accepted; this is the only line there.
    pub fn listening(&self, addr: SocketAddr) {
        self.listens.send_replace(Some(addr));
        // The parent may have closed stdout; the error does not matter.
        let _ = writeln!(io::stdout(), "{} http://{addr}", self.says);
    }

    /// Returns the body of `GET /metrics`: the process's metrics in the format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.recorder.render()
    }

    /// Returns the body of `GET /stats`.
    #[must_use]
    pub fn stats(&self) -> Value {
        let stats = self.hub.stats();
        json!({
            "node": self.options.node.as_ref().unwrap_or(&self.options.name),
            "nodes": self.options.nodes,
            "framework": self.framework,
            "epoch": stats.head.epoch().to_string(),
            "head": stats.head.seq(),
            "readers": stats.readers,
            "topics": stats.topics,
            "window_bytes": stats.window_bytes,
            "published": stats.published,
            "gaps": stats.gaps.values().sum::<u64>(),
            "gaps_by_reason": stats.gaps,
            "slow_readers_dropped": stats.stalled,
        })
    }
}

/// Opens the hub over the chosen history: one line for each engine. No other code of the application depends on it.
async fn open(hub: HubBuilder, options: &Options) -> Result<Hub, HistoryError> {
    match &options.history {
        options::History::Memory => Ok(hub.memory()),
        #[cfg(feature = "file")]
        options::History::File(path) => hub.open(sse_core::history::FileHistory::open(path)?).await,
        #[cfg(feature = "redis")]
        options::History::Redis(url) => {
            hub.open(sse_core::history::RedisHistory::connect(url, &options.name).await?).await
        }
        #[cfg(feature = "postgres")]
        options::History::Postgres(url) => {
            hub.open(sse_core::history::PostgresHistory::connect(url, &options.name).await?).await
        }
        #[cfg(feature = "nats")]
        options::History::Nats(url) => {
            hub.open(sse_core::history::NatsHistory::connect(url, &options.name).await?).await
        }
    }
}
