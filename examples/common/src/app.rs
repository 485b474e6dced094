use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
};

use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sse_core::{FileHistory, HistoryError, Hub, HubBuilder, KeepAlive, NatsHistory, RedisHistory, Shutdown};

use crate::{History, Options, prometheus};

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
}

impl App {
    /// Opens the hub; must be called within a Tokio runtime, because SIGTERM and Ctrl-C are listened to from now on.
    ///
    /// # Errors
    /// A line that says why the history cannot be opened.
    pub(crate) async fn open(framework: &'static str, options: Options) -> Result<Self, String> {
        let recorder = prometheus::install().map_err(|error| error.to_string())?;
        let shutdown = Shutdown::within(options.drain).on_signals();
        let hub = Hub::builder().retention(options.retention).shutdown(shutdown.clone());
        let hub = open(hub, &options).await.map_err(|error| format!("--history: {error}"))?;
        Ok(Self { hub, shutdown, options: Arc::new(options), framework, recorder })
    }

    /// How the streams say that they are alive.
    pub fn keep_alive(&self) -> KeepAlive {
        KeepAlive::every(self.options.keep_alive)
    }

    /// Says on stdout that connections are accepted: the one line there.
    pub fn listening(&self, addr: SocketAddr) {
        // Whoever started it may have closed stdout, and then there is nobody to tell.
        let _ = writeln!(io::stdout(), "listening on http://{addr}");
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
            "node": self.options.name,
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
        History::Memory => Ok(hub.memory()),
        History::File(path) => hub.open(FileHistory::open(path)?).await,
        History::Redis(url) => hub.open(RedisHistory::connect(url, &options.name).await?).await,
        History::Nats(url) => hub.open(NatsHistory::connect(url, &options.name).await?).await,
    }
}
