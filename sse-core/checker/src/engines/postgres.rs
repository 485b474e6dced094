use sse_core::{Retention, history::PostgresHistory};
use sse_testkit::history_cases::Engine;

use super::PostgresServer;

/// A history in PostgreSQL.
pub struct PostgresEngine {
    /// The server.
    pub server: PostgresServer,
}

impl Engine for PostgresEngine {
    type History = PostgresHistory;

    async fn start() -> Self {
        Self { server: PostgresServer::start().await }
    }

    async fn open(&self, keep: Option<u64>) -> PostgresHistory {
        let mut options = PostgresHistory::builder();
        if let Some(keep) = keep {
            options = options.retention(Retention::default().events(keep as usize));
        }
        options.connect(self.server.url(), "test").await.unwrap()
    }

    async fn kill(&mut self) {
        self.server.kill();
    }

    async fn revive(&mut self) {
        self.server.revive().await;
    }
}
