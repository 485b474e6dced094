//! A log that lacks its end: what shows it, each alone. To a new process the server and the table, and to one that has
//! seen more its own position.

use std::os::unix::fs::PermissionsExt;

use sse_checker::engines::PostgresServer;
use sse_core::{Event, GapReason, Hub, Resume, Subscription, history::PostgresHistory};
use sse_testkit::history_cases::wait_for;

async fn open(server: &PostgresServer) -> Hub {
    Hub::open(PostgresHistory::connect(server.url(), "sse").await.unwrap()).await.unwrap()
}

async fn publish(hub: &Hub, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(hub.publish("a", Event::message("x")).await.unwrap().cursor.to_string());
    }
    ids
}

/// A reader with this cursor, as soon as it is not answered with a retry.
async fn resumed(hub: &Hub, id: &str) -> Subscription {
    wait_for("an answer", async {
        loop {
            let reader = hub.subscribe("a").after(id).await.unwrap();
            if *reader.resume() != Resume::Fresh {
                return reader;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

/// Publishes more than the log lacks, and expects a gap for those who saw what it lacks, and for no other reader.
async fn expect_gaps(hub: &Hub, kept: &[String], lost: &[String], reason: GapReason) {
    let new = publish(hub, lost.len() + 1).await;
    assert!(new[0].ends_with(&format!("-{}", kept.len() + 1)), "{new:?}");
    for (ids, reason) in [(kept, None), (lost, Some(reason))] {
        for id in ids {
            assert!(!new.contains(id), "{new:?}");
            let reader = resumed(hub, id).await;
            assert_eq!(reader.gap().map(|gap| gap.reason), reason, "{id}: {:?}", reader.resume());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_dump_is_noticed_by_a_new_process() {
    let server = PostgresServer::start().await;
    let hub = open(&server).await;
    let kept = publish(&hub, 3).await;
    let dump = server.tool("pg_dump", &["-n", "sse", "--clean", "postgres"]);
    let lost = publish(&hub, 3).await;
    drop(hub);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), dump).unwrap();
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644)).unwrap();
    let path = file.path().display().to_string();
    server.tool("psql", &["-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", &path, "postgres"]);
    expect_gaps(&open(&server).await, &kept, &lost, GapReason::Fork).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_of_a_server_that_was_stopped_is_noticed_by_a_new_process() {
    let mut server = PostgresServer::start().await;
    let hub = open(&server).await;
    let kept = publish(&hub, 3).await;
    drop(hub);
    server.stop();
    let copy = server.copy();
    server.revive().await;
    let hub = open(&server).await;
    let lost = publish(&hub, 3).await;
    drop(hub);
    server.stop();
    server.restore(&copy);
    server.revive().await;
    // The epoch that the second start began is not in the copy.
    expect_gaps(&open(&server).await, &kept, &lost, GapReason::Epoch).await;
}

/// A restore or a replication deletes without triggers: the position that a process has seen shows it.
#[tokio::test(flavor = "multi_thread")]
async fn records_deleted_without_triggers_are_noticed_by_a_process_that_saw_them() {
    let server = PostgresServer::start().await;
    let hub = open(&server).await;
    let kept = publish(&hub, 3).await;
    let lost = publish(&hub, 3).await;
    server.ask("set session_replication_role = replica; delete from sse.event where seq > 3").await;
    expect_gaps(&hub, &kept, &lost, GapReason::Fork).await;
}
