use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
};

use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sse_core::{
    FileHistory, History, HistoryError, Hub, HubBuilder, KeepAlive, NatsHistory, RedisHistory, Shutdown,
};
use tokio::sync::watch;

use crate::{Options, metrics, options, prometheus};

/// The application without its web framework: cheap to clone, and every handler has one.
#[derive(Debug, Clone)]
pub struct App {
    /// What is published and read.
    pub hub: Hub,
    /// What ends the streams, the server and the process.
    pub shutdown: Shutdown,
    /// The command line.
    pub options: Arc<Options>,
    framework: &'static str,
    recorder: PrometheusHandle,
    /// How the line on stdout begins that says where it listens.
    says: &'static str,
    listens: watch::Sender<Option<SocketAddr>>,
}

impl App {
    /// Opens the hub; must be called within a Tokio runtime, because SIGTERM and Ctrl-C are listened to from now on.
    ///
    /// # Errors
    /// A line that says why the history cannot be opened.
    pub async fn open(framework: &'static str, options: Options) -> Result<Self, String> {
        Self::begin(framework, options, async |hub, options| open(hub, options).await).await
    }

    /// Opens the hub over a history that is open already, whatever the command line says.
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

    /// The same, but its line on stdout begins so: there are others in this process.
    #[must_use]
    pub fn saying(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    /// Publishes this machine's metrics every second until the shutdown.
    pub async fn publish_metrics(self) {
        metrics::publish(self.hub, self.shutdown).await;
    }

    /// Waits until connections are accepted, and says where.
    pub async fn address(&self) -> Option<SocketAddr> {
        let mut listens = self.listens.subscribe();
        listens.wait_for(Option::is_some).await.ok().and_then(|address| *address)
    }

    /// How the streams say that they are alive.
    pub fn keep_alive(&self) -> KeepAlive {
        KeepAlive::every(self.options.keep_alive)
    }

    /// Says on stdout that connections are accepted: the one line there.
    pub fn listening(&self, addr: SocketAddr) {
        self.listens.send_replace(Some(addr));
        // Whoever started it may have closed stdout, and then there is nobody to tell.
        let _ = writeln!(io::stdout(), "{} http://{addr}", self.says);
    }

    /// What `GET /metrics` answers: the process's numbers as Prometheus reads them.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.recorder.render()
    }

    /// What `GET /stats` answers.
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

/// The history behind the hub is one line's difference; nothing else in the application knows which it is.
async fn open(hub: HubBuilder, options: &Options) -> Result<Hub, HistoryError> {
    match &options.history {
        options::History::Memory => Ok(hub.memory()),
        options::History::File(path) => hub.open(FileHistory::open(path)?).await,
        options::History::Redis(url) => hub.open(RedisHistory::connect(url, &options.name).await?).await,
        options::History::Nats(url) => hub.open(NatsHistory::connect(url, &options.name).await?).await,
    }
}
