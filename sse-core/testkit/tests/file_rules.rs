//! When a history in a file acknowledges.

use std::time::{Duration, Instant};

use sse_core::{FileHistory, History, Retention};
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
        assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["0"]);
        assert_eq!(history.span(&[]).await.unwrap().head, 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    second.await.unwrap();
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["0", "1"]);
}

#[tokio::test]
async fn rule_of_the_file_epochs_are_pruned_that_no_record_is_of_and_only_those() {
    const KEPT: usize = 1_000;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.redb");
    let open = || FileHistory::builder().retention(Retention::default().events(8)).open(&path).unwrap();
    let first = {
        let history = open();
        appended(&history, entry("a", 0)).await.cursor
    };
    for _ in 0..KEPT {
        open();
    }
    let history = open();
    let epochs = history.span(&[]).await.unwrap().epochs;
    assert_eq!(epochs.rows().len(), KEPT + 2, "the record is of the oldest epoch, so that none may go");
    assert_eq!(epochs.at(1), first.epoch());
    let of_last = appended(&history, entry("a", 1)).await.cursor.epoch();
    for number in 2..40 {
        appended(&history, entry("a", number)).await;
    }
    assert!(history.span(&[]).await.unwrap().oldest > 2, "nothing was trimmed");
    drop(history);

    let epochs = open().span(&[]).await.unwrap().epochs;
    assert_eq!(epochs.rows().len(), KEPT);
    assert!(epochs.rows().iter().all(|row| row.epoch != first.epoch()), "the oldest one is still there");
    assert_eq!(epochs.at(39), of_last);
}
