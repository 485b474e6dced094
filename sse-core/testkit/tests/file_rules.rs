//! When a history in a file acknowledges.

use std::time::{Duration, Instant};

use sse_core::{FileHistory, History};
use sse_testkit::history_cases::{appended, entry, texts};
use tempfile::TempDir;

#[tokio::test]
async fn rule_of_the_file_nothing_is_acknowledged_or_read_before_its_sync() {
    let every = Duration::from_millis(600);
    let folder = TempDir::new().unwrap();
    let history = FileHistory::builder().sync_every(every).open(folder.path().join("events.redb")).unwrap();
    appended(&history, entry("a", 0)).await;
    let synced_at = Instant::now();
    let second = tokio::spawn({
        let history = history.clone();
        async move { appended(&history, entry("a", 1)).await }
    });
    while synced_at.elapsed() < every / 2 {
        assert!(!second.is_finished(), "acknowledged before the next sync was due");
        assert_eq!(texts(&history.read(0, 10).await.unwrap()), ["0"]);
        assert_eq!(history.span(&[]).await.unwrap().head, 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    second.await.unwrap();
    assert_eq!(texts(&history.read(0, 10).await.unwrap()), ["0", "1"]);
}
