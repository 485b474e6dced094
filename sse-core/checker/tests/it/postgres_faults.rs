//! PostgreSQL that crashes, fails over, is restored, or is changed by hand.

use std::time::Duration;

use futures_util::StreamExt;
use sse_checker::engines::{PgBouncer, PostgresServer, Proxy};
use sse_core::{
    Event, GapReason, Hub, Resume, Subscription,
    history::{History, HistoryErrorKind, PostgresHistory},
};
use sse_testkit::history_cases::{Tail, appended, data, entry, first_record, next, settled, texts, wait_for};

const NAME: &str = "sse";

async fn open(url: impl AsRef<str>) -> Hub {
    Hub::open(PostgresHistory::connect(url, NAME).await.unwrap()).await.unwrap()
}

async fn publish(hub: &Hub, numbers: std::ops::Range<u64>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(hub.publish("a", Event::message(number.to_string())).await.unwrap().cursor.to_string());
    }
    ids
}

/// Publishes under a key until the event is stored.
async fn publish_at_last(hub: &Hub, text: &str) -> String {
    wait_for("it can be published", async {
        loop {
            match hub.publish("a", Event::message(text)).key(text).await {
                Ok(receipt) => return receipt.cursor.to_string(),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

/// A reader with this cursor, as soon as it is not answered with a retry.
async fn resumed(hub: &Hub, id: &str) -> Subscription {
    wait_for("an answer", async {
        loop {
            let reader = hub.subscribe("a").after(id).await.unwrap();
            if *reader.resume() != Resume::Fresh {
                return reader;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// Readers with the first `kept` of these ids are exact, and the others get a gap `fork`; all then get `new`.
async fn expect_fork_after(hub: &Hub, ids: &[String], kept: usize, new: &str) {
    for (place, id) in ids.iter().enumerate() {
        let mut reader = resumed(hub, id).await;
        if place < kept {
            assert!(reader.gap().is_none(), "{id}: {:?}", reader.resume());
            assert_eq!(data(&mut reader, kept - place).await.last().unwrap(), new);
        } else {
            let reason = reader.gap().map(|gap| gap.reason);
            assert_eq!(reason, Some(GapReason::Fork), "{id}: {:?}", reader.resume());
            assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
            assert_eq!(next(&mut reader).await.data(), new);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_a_promoted_replica_that_lags_is_a_gap_for_those_who_saw_what_it_lost() {
    let mut primary = PostgresServer::start().await;
    let mut replica = primary.replica(&[]).await;
    let (one, two) = (primary.port(), replica.port());
    let url = format!("postgres://admin@127.0.0.1:{one},127.0.0.1:{two}/postgres");
    let hubs = [open(&url).await, open(&url).await];
    let mut reader = hubs[1].subscribe("a").await.unwrap();
    let mut ids = publish(&hubs[0], 1..6).await;
    wait_for("the replica has everything", async {
        while replica.ask("select count(*) from sse.event").await != ["5"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    replica.kill();
    ids.extend(publish(&hubs[1], 6..9).await);
    assert_eq!(data(&mut reader, 8).await.last().unwrap(), "8");
    primary.kill();
    replica.revive().await;
    replica.ask("select pg_promote()").await;
    let new = publish_at_last(&hubs[0], "new").await;
    assert!(new.ends_with("-6") && !ids.contains(&new), "{new}");
    let gap = next(&mut reader).await;
    assert!(gap.event_type() == "sse.gap" && gap.data().contains(r#""reason":"fork""#), "{gap:?}");
    assert_eq!(next(&mut reader).await.data(), "new");
    for hub in &hubs {
        expect_fork_after(hub, &ids, 5, "new").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_that_was_never_demoted_begins_an_epoch() {
    let primary = PostgresServer::start().await;
    let mut replica = primary.replica(&[]).await;
    let cable = Proxy::to(primary.port()).await;
    let (one, two) = (cable.port(), replica.port());
    let hub = open(format!("postgres://admin@127.0.0.1:{one},127.0.0.1:{two}/postgres")).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    publish(&hub, 1..4).await;
    wait_for("the replica has everything", async {
        while replica.ask("select count(*) from sse.event").await != ["3"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    cable.cut();
    replica.ask("select pg_promote()").await;
    publish_at_last(&hub, "on the replica").await;
    assert_eq!(data(&mut reader, 4).await.last().unwrap(), "on the replica");
    // The former primary lacks that event, and its own marks have not changed.
    cable.mend();
    replica.kill();
    let id = publish_at_last(&hub, "on the primary").await;
    assert!(id.ends_with("-4"), "{id}");
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(next(&mut reader).await.data(), "on the primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_of_the_server_is_a_gap_for_nobody() {
    let server = PostgresServer::start().await;
    let hub = open(server.url()).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    let ids = publish(&hub, 0..5).await;
    let pid = server.ask("select pid from pg_stat_activity where application_name = 'sse reader'").await;
    server.kill_backend(pid[0].parse().unwrap());
    publish_at_last(&hub, "new").await;
    assert_eq!(data(&mut reader, 6).await.last().unwrap(), "new");
    expect_fork_after(&hub, &ids, 5, "new").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p8_an_append_is_durable_although_commits_are_asynchronous() {
    let mut server = PostgresServer::start_with(&["synchronous_commit=off", "wal_writer_delay=10s"]).await;
    let history = PostgresHistory::connect(server.url(), NAME).await.unwrap();
    for number in 0..3 {
        appended(&history, entry("a", number)).await;
    }
    server.kill();
    server.revive().await;
    let history = PostgresHistory::connect(server.url(), NAME).await.unwrap();
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["0", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_records_that_are_deleted_by_hand_are_gaps_and_no_position_is_used_again() {
    let server = PostgresServer::start().await;
    let hub = open(server.url()).await;
    let ids = publish(&hub, 0..8).await;
    server.ask("delete from sse.event where seq > 5").await;
    let new = publish_at_last(&hub, "new").await;
    assert!(new.ends_with("-6") && !ids.contains(&new), "{new}");
    expect_fork_after(&hub, &ids, 5, "new").await;
    // In the middle: what is below the hole cannot be read in order.
    server.ask("delete from sse.event where seq = 3").await;
    publish_at_last(&hub, "newer").await;
    let other = open(server.url()).await;
    let mut reader = resumed(&other, &ids[1]).await;
    assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Trimmed), "{:?}", reader.resume());
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(data(&mut reader, 4).await, ["3", "4", "new", "newer"]);
    let mut reader = resumed(&other, &ids[3]).await;
    assert_eq!(data(&mut reader, 3).await, ["4", "new", "newer"]);
    // All of them: positions go on after the highest one that was ever removed.
    server.ask("truncate sse.event").await;
    let last = publish_at_last(&hub, "last").await;
    assert!(last.ends_with("-9"), "{last}");
    let other = open(server.url()).await;
    let mut reader = resumed(&other, &ids[4]).await;
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(next(&mut reader).await.data(), "last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_and_a_restored_dump_are_gaps_for_those_who_saw_more() {
    let mut server = PostgresServer::start().await;
    let hub = open(server.url()).await;
    let mut ids = publish(&hub, 0..3).await;
    let dump = server.tool("pg_dump", &["-n", NAME, "--clean", "postgres"]);
    ids.extend(publish(&hub, 3..6).await);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), dump).unwrap();
    std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    server.tool(
        "psql",
        &["-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", file.path().to_str().unwrap(), "postgres"],
    );
    let new = publish_at_last(&hub, "new").await;
    assert!(new.ends_with("-4"), "{new}");
    expect_fork_after(&hub, &ids, 3, "new").await;
    // A copy of the files, put back.
    server.kill();
    let copy = server.copy();
    server.revive().await;
    let lost = publish_at_last(&hub, "lost").await;
    server.kill();
    server.restore(&copy);
    server.revive().await;
    let newest = publish_at_last(&hub, "newest").await;
    assert!(newest.ends_with("-5") && newest != lost, "{newest}");
    let mut reader = resumed(&hub, &lost).await;
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(next(&mut reader).await.data(), "newest");
    let mut reader = resumed(&hub, &new).await;
    assert!(reader.gap().is_none(), "{:?}", reader.resume());
    assert_eq!(next(&mut reader).await.data(), "newest");
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_an_append_that_waits_for_a_replica_is_uncertain() {
    let server = PostgresServer::start().await;
    let history = PostgresHistory::connect(server.url(), NAME).await.unwrap();
    appended(&history, entry("a", 0)).await;
    server.ask("alter system set synchronous_standby_names = 'nobody'").await;
    server.ask("select pg_reload_conf()").await;
    wait_for("it is set", async {
        while server.ask("show synchronous_standby_names").await != ["nobody"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let error = wait_for("an answer", history.append(vec![entry("a", 1)])).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Uncertain, "{error}");
    server.ask("alter system reset synchronous_standby_names").await;
    server.ask("select pg_reload_conf()").await;
    wait_for("it answers again", async {
        while history.append(vec![entry("a", 2)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()).last().unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn p15_a_listener_that_dies_is_replaced() {
    let server = PostgresServer::start().await;
    let history = PostgresHistory::connect(server.url(), NAME).await.unwrap();
    let mut tail: Tail = Box::pin(history.tail(0));
    appended(&history, entry("a", 0)).await;
    assert_eq!(first_record(&mut tail).await.cursor.seq(), 1);
    for round in 2..5 {
        server.ask("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sse listener'").await;
        server.ask("select sse.publish('a', 'x')").await;
        assert_eq!(first_record(&mut tail).await.cursor.seq(), round);
    }
    // The listener hears signals again.
    let sender = tokio::spawn({
        let history = history.clone();
        async move {
            loop {
                drop(history.signal(entry("a", "s")).await);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    wait_for("a signal", async {
        while !matches!(tail.next().await, Some(Ok(sse_core::history::TailEvent::Signal(_)))) {}
    })
    .await;
    sender.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_a_pooler_that_drops_notifications_costs_latency_only() {
    let server = PostgresServer::start().await;
    let pooler = PgBouncer::to(&server).await;
    let hubs = [open(server.url_at(pooler.port())).await, open(server.url_at(pooler.port())).await];
    let mut readers = Vec::new();
    for hub in &hubs {
        readers.push(hub.subscribe("a").await.unwrap());
    }
    let mut expected = Vec::new();
    for round in 0..10 {
        server.ask(&format!("select sse.publish('a', 'sql {round}')")).await;
        hubs[round % 2].publish("a", Event::message(format!("hub {round}"))).await.unwrap();
        expected.extend([format!("sql {round}"), format!("hub {round}")]);
    }
    for reader in &mut readers {
        assert_eq!(data(reader, 20).await, expected);
    }
    // Applications publish through the pooler.
    let (client, connection) =
        tokio_postgres::connect(&server.url_at(pooler.port()), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_typed("select sse.publish('a', 'pooled')", &[]).await.unwrap();
    for reader in &mut readers {
        assert_eq!(next(reader).await.data(), "pooled");
    }
    let history = PostgresHistory::connect(server.url_at(pooler.port()), NAME).await.unwrap();
    assert_eq!(history.signal(entry("a", "s")).await.unwrap().processes, None);
    assert_eq!(
        server.ask("select count(*) from pg_locks where locktype = 'advisory' and objid = 3").await,
        ["0"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_other_clients_are_data() {
    let server = PostgresServer::start().await;
    let hub = open(server.url()).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    server
        .ask(
            "insert into sse.outbox (topic, finish, lines) values
               ('a', false, convert_to(E'data: x\\n\\nevent: sse.gap\\ndata: {}\\n', 'UTF8')),
               ('not a topic*', false, 'x'), ('a', false, convert_to(E'data: fine\\n', 'UTF8'))",
        )
        .await;
    let first = next(&mut reader).await;
    assert_eq!((first.event_type(), first.data()), ("message", "data: x\n\nevent: sse.gap\ndata: {}\n"));
    assert_eq!(next(&mut reader).await.data(), "fine");
    server
        .ask("select pg_notify('sse_signal', 'nonsense'), pg_notify('sse_log', 'x'), pg_notify('sse', '')")
        .await;
    hub.publish("a", Event::message("after")).await.unwrap();
    assert_eq!(next(&mut reader).await.data(), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn p20_old_records_and_keys_are_removed_and_topics_are_forgotten() {
    let server = PostgresServer::start().await;
    let history = PostgresHistory::builder()
        .retention(
            sse_core::Retention::default().events(1_000_000).bytes(200).age(Duration::from_secs(3_600)),
        )
        .key_memory(Duration::from_millis(200))
        .connect(server.url(), NAME)
        .await
        .unwrap();
    let keyed = || entry("a", "keyed").with_key("k");
    assert!(!appended(&history, keyed()).await.duplicate);
    history.append((0..40).map(|n| entry("a", format!("{n:08}"))).collect()).await.unwrap();
    // Each has 15 bytes of lines: 13 are kept.
    let bounds = settled(&history, &[], |bounds| bounds.oldest > 1).await;
    assert_eq!((bounds.oldest, bounds.head), (29, 41));
    wait_for("the key is forgotten", async {
        while appended(&history, keyed()).await.duplicate {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    server.ask("insert into sse.quiet (topic, last, finished, at) select 'old.' || n, 5, false, now() from generate_series(1, 110001) n").await;
    wait_for("topics are forgotten", async {
        while server.ask("select forgotten from sse.state").await == ["0"] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let last = history.bounds(&[sse_core::Pattern::new("never").unwrap()]).await.unwrap().last;
    assert!((5..=29).contains(&last), "{last}");
}
