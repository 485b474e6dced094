//! The suite for engines, as a repository of its own uses it: this file imports `sse-testkit`, `sse-core` and the
//! engine alone.

use downstream_engine::SharedHistory;
use sse_testkit::history_cases::Engine;

/// The history outlives its handles, as a file does.
struct SharedEngine(SharedHistory);

impl Engine for SharedEngine {
    type History = SharedHistory;

    async fn start() -> Self {
        Self(SharedHistory::default())
    }

    async fn open(&self, keep: Option<u64>) -> SharedHistory {
        keep.map_or_else(|| self.0.clone(), |keep| self.0.keeping(keep as usize))
    }

    async fn kill(&mut self) {}

    async fn revive(&mut self) {}
}

sse_testkit::history_conformance!(SharedEngine);
