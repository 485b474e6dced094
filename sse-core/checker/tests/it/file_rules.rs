//! When a history in a file acknowledges.

use std::time::{Duration, Instant};

use sse_core::{
    Hub, Retention,
    history::{FileHistory, History, HistoryErrorKind},
};
use sse_testkit::history_cases::{appended, entry, texts};
use tempfile::TempDir;

#[tokio::test]
async fn rule_of_the_file_nothing_is_visible_before_its_sync() {
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
        assert_eq!(history.bounds(&[]).await.unwrap().head, 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    second.await.unwrap();
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["0", "1"]);
}

#[tokio::test]
async fn rule_of_the_file_only_empty_epochs_are_pruned() {
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
    let epochs = history.bounds(&[]).await.unwrap().epochs;
    // Epochs in which nothing was published are removed first: the record's own is the oldest.
    assert_eq!(epochs.rows().len(), KEPT);
    assert_eq!(epochs.at(1), first.epoch());
    let of_last = appended(&history, entry("a", 1)).await.cursor.epoch();
    for number in 2..40 {
        appended(&history, entry("a", number)).await;
    }
    assert!(history.bounds(&[]).await.unwrap().oldest > 2, "nothing was trimmed");
    drop(history);

    let epochs = open().bounds(&[]).await.unwrap().epochs;
    assert_eq!(epochs.rows().len(), KEPT);
    assert!(epochs.rows().iter().all(|row| row.epoch != first.epoch()), "the oldest one is still there");
    assert_eq!(epochs.at(39), of_last);
}

#[tokio::test]
async fn e3_a_file_that_was_replaced_while_it_was_open_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let (path, away) = (folder.path().join("events.redb"), folder.path().join("away.redb"));
    let history = FileHistory::open(&path).unwrap();
    let hub = Hub::open(history.clone()).await.unwrap();
    let before = appended(&history, entry("a", "before")).await;
    std::fs::rename(&path, &away).unwrap();
    std::fs::copy(&away, &path).unwrap();
    let error = history.append(vec![entry("a", "lost")]).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Unavailable);
    assert!(error.to_string().contains("replaced"), "{error}");
    // Its records can still be read, and no other reader gets an error.
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["before"]);
    drop((hub, history));
    // The tail releases the file a moment later.
    let reopened = loop {
        match FileHistory::open(&path) {
            Ok(history) => break history,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let after = appended(&reopened, entry("a", "after")).await;
    assert_eq!(
        (after.cursor.seq(), texts(&reopened.read(0, 10, usize::MAX).await.unwrap())),
        (2, vec!["before".to_owned(), "after".to_owned()])
    );
    assert_ne!(after.cursor.epoch(), before.cursor.epoch());
}

#[tokio::test]
async fn e3_a_file_that_was_removed_while_it_was_open_takes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.redb");
    let history = FileHistory::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(history.append(vec![entry("a", 1)]).await.unwrap_err().kind(), HistoryErrorKind::Unavailable);
}
