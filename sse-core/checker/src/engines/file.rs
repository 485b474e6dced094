use std::{path::PathBuf, sync::Mutex, time::Duration};

use sse_core::{
    Retention,
    history::{FileHistory, HistoryErrorKind},
};
use tempfile::TempDir;

use sse_testkit::history_cases::{Engine, wait_for};

/// A history in a file: opened once, and then shared.
pub struct FileEngine {
    folder: TempDir,
    open: Mutex<Option<FileHistory>>,
}

impl FileEngine {
    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("events.redb")
    }
}

impl Engine for FileEngine {
    type History = FileHistory;

    async fn start() -> Self {
        Self { folder: TempDir::new().unwrap(), open: Mutex::new(None) }
    }

    async fn open(&self, keep: Option<u64>) -> FileHistory {
        if let Some(history) = &*self.open.lock().unwrap() {
            return history.clone();
        }
        let mut options = FileHistory::builder();
        if let Some(keep) = keep {
            options = options.retention(Retention::default().events(keep as usize));
        }
        // A hub that was dropped may still be reading.
        let history = wait_for("the file can be opened", async {
            loop {
                match options.clone().open(self.path()) {
                    Ok(history) => return history,
                    Err(error) if error.kind() == HistoryErrorKind::Unavailable => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        })
        .await;
        self.open.lock().unwrap().insert(history).clone()
    }

    async fn kill(&mut self) {
        *self.open.lock().unwrap() = None;
    }

    async fn revive(&mut self) {}
}
