use sse_core::{Retention, history::RedisHistory};

use super::RedisServer;
use sse_testkit::history_cases::Engine;

/// A history in a Redis that syncs every write.
pub struct RedisEngine {
    /// The server.
    pub server: RedisServer,
}

impl Engine for RedisEngine {
    type History = RedisHistory;

    async fn start() -> Self {
        // Small nodes, so that trimming takes small steps.
        Self { server: RedisServer::start(&["--stream-node-max-entries", "10"]) }
    }

    async fn open(&self, keep: Option<u64>) -> RedisHistory {
        let mut options = RedisHistory::builder();
        if let Some(keep) = keep {
            options = options.retention(Retention::default().events(keep as usize));
        }
        options.connect(self.server.url(), "test").await.unwrap()
    }

    async fn kill(&mut self) {
        self.server.kill();
    }

    async fn revive(&mut self) {
        self.server.revive();
    }
}
