//! Redis that fails over, loses its keys, has wrong settings or is full.

use std::{process::Command, time::Duration};

use sse_checker::engines::{Proxy, RedisServer};
use sse_core::{
    Event, GapReason, Hub, Resume, Retention, Start, Subscription,
    history::{History, HistoryErrorKind, RedisHistory},
};
use sse_testkit::history_cases::{Tail, appended, data, entry, first_record, next, texts, wait_for};

const NAME: &str = "test";

async fn publish(hub: &Hub, name: &str, numbers: std::ops::Range<u64>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(hub.publish(name, Event::message(number.to_string())).await.unwrap().cursor.to_string());
    }
    ids
}

/// Publishes under a key until the event is stored.
async fn publish_at_last(hub: &Hub, name: &str, text: &str) -> String {
    wait_for("it can be published", async {
        loop {
            match hub.publish(name, Event::message(text)).key(text).await {
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

async fn until(what: &str, condition: impl Fn() -> bool) {
    wait_for(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// A primary with an up-to-date replica.
async fn pair() -> (RedisServer, RedisServer) {
    let primary = RedisServer::start(&[]);
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &primary.port().to_string()]);
    until("the replica follows", || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"))
        .await;
    (primary, replica)
}

async fn caught_up(primary: &RedisServer, replica: &RedisServer) {
    let key = format!("sse:{{{NAME}}}:meta");
    until("the replica has everything", || {
        primary.ask(&["HGET", &key, "head"]) == replica.ask(&["HGET", &key, "head"])
    })
    .await;
}

async fn expect_fork(reader: &mut Subscription, resumed_at: u64) {
    let told = next(reader).await;
    assert_eq!(told.event_type(), "sse.gap", "{told:?}");
    assert!(told.data().contains(r#""reason":"fork""#), "{told:?}");
    assert!(told.last_event_id().ends_with(&format!("-{resumed_at}")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_g7_a_lagging_replica_is_a_gap_for_those_who_saw_more() {
    let (mut primary, replica) = pair().await;
    let url = format!("{},{}", primary.url(), replica.url());
    let hubs = [
        Hub::open(RedisHistory::connect(&url, NAME).await.unwrap()).await.unwrap(),
        Hub::open(RedisHistory::connect(&url, NAME).await.unwrap()).await.unwrap(),
    ];
    let mut readers = Vec::new();
    for hub in &hubs {
        readers.push(hub.subscribe("a").await.unwrap());
    }
    let mut behind = hubs[1].subscribe("a").await.unwrap();
    // No event of this topic is lost.
    let mut elsewhere = hubs[1].subscribe("b").await.unwrap();
    let mut ids = publish(&hubs[0], "a", 1..6).await;
    caught_up(&primary, &replica).await;
    // After it is cut off, the replica keeps its data.
    replica.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    ids.extend(publish(&hubs[1], "a", 6..9).await);
    for reader in &mut readers {
        assert_eq!(data(reader, 8).await, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    }
    assert_eq!(data(&mut behind, 2).await, ["1", "2"]);
    let told = tokio::time::timeout(Duration::from_millis(100), elsewhere.next()).await;
    assert!(told.is_err(), "{told:?}");
    primary.kill();
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    let new = publish_at_last(&hubs[0], "a", "new").await;
    assert!(new.ends_with("-6") && !ids.contains(&new), "{new}");
    for reader in &mut readers {
        expect_fork(reader, 5).await;
        let message = next(reader).await;
        assert_eq!((message.data(), message.last_event_id()), ("new", &*new));
    }
    // This reader had not seen the lost events.
    assert_eq!(data(&mut behind, 4).await, ["3", "4", "5", "new"]);
    publish_at_last(&hubs[0], "b", "other").await;
    assert_eq!(data(&mut elsewhere, 1).await, ["other"]);
    for hub in &hubs {
        for (place, id) in ids.iter().enumerate() {
            let mut reader = resumed(hub, id).await;
            if place < 5 {
                assert!(reader.gap().is_none(), "{id}: {:?}", reader.resume());
                assert_eq!(data(&mut reader, 5 - place).await.last().unwrap(), "new");
            } else {
                assert_eq!(
                    reader.gap().map(|gap| gap.reason),
                    Some(GapReason::Fork),
                    "{id}: {:?}",
                    reader.resume()
                );
                expect_fork(&mut reader, 5).await;
                assert_eq!(data(&mut reader, 1).await, ["new"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_goes_back_to_where_a_promoted_replica_goes_on() {
    let (mut primary, replica) = pair().await;
    let history = RedisHistory::connect(format!("{},{}", primary.url(), replica.url()), NAME).await.unwrap();
    let mut tail: Tail = Box::pin(history.tail(0));
    for n in 1..6 {
        appended(&history, entry("a", n)).await;
    }
    caught_up(&primary, &replica).await;
    replica.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    for n in 6..9 {
        appended(&history, entry("a", n)).await;
    }
    for seq in 1..9 {
        assert_eq!(first_record(&mut tail).await.cursor.seq(), seq);
    }
    primary.kill();
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    wait_for("it can be appended", async {
        while history.append(vec![entry("a", "new")]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let record = first_record(&mut tail).await;
    assert_eq!((record.cursor.seq(), texts(&[record])), (6, vec!["new".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_process_cut_off_during_trimming_reports_the_gap() {
    let server = RedisServer::start(&["--stream-node-max-entries", "10"]);
    let proxy = Proxy::to(server.port()).await;
    let options = RedisHistory::builder().retention(Retention::default().events(50));
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let cut_off = Hub::open(options.clone().connect(url, NAME).await.unwrap()).await.unwrap();
    let there = options.connect(server.url(), NAME).await.unwrap();
    let mut busy = cut_off.subscribe("a").await.unwrap();
    let mut quiet = cut_off.subscribe("quiet").await.unwrap();
    appended(&there, entry("quiet", "q")).await;
    appended(&there, entry("a", 0)).await;
    assert_eq!(data(&mut busy, 1).await, ["0"]);
    assert_eq!(data(&mut quiet, 1).await, ["q"]);
    proxy.cut();
    for n in 1..400 {
        appended(&there, entry("a", n)).await;
    }
    let oldest = there.bounds(&[]).await.unwrap().oldest;
    assert!(oldest > 3);
    proxy.mend();
    let told = next(&mut busy).await;
    assert_eq!(told.event_type(), "sse.gap", "{told:?}");
    assert!(told.data().contains(r#""reason":"trimmed""#), "{told:?}");
    let rest = data(&mut busy, usize::try_from(402 - oldest).unwrap()).await;
    let expected: Vec<String> = (oldest - 2..400).map(|n| n.to_string()).collect();
    assert_eq!(rest, expected);
    // It passes events that do not concern it, and receives nothing.
    let told = tokio::time::timeout(Duration::from_secs(1), quiet.next()).await;
    assert!(told.is_err(), "{told:?}");
    appended(&there, entry("quiet", "r")).await;
    assert_eq!(data(&mut quiet, 1).await, ["r"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_primary_is_left_without_a_gap() {
    let (primary, replica) = pair().await;
    let url = format!("{},{}", primary.url(), replica.url());
    let hub = Hub::open(RedisHistory::connect(&url, NAME).await.unwrap()).await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    let ids = publish(&hub, "a", 0..3).await;
    assert_eq!(data(&mut live, 3).await, ["0", "1", "2"]);
    caught_up(&primary, &replica).await;
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    primary.ask(&["REPLICAOF", "127.0.0.1", &replica.port().to_string()]);
    let new = publish_at_last(&hub, "a", "new").await;
    assert!(new.ends_with("-4") && !ids.contains(&new), "{new}");
    assert_eq!(data(&mut live, 1).await, ["new"]);
    assert_eq!(replica.ask(&["HGET", &format!("sse:{{{NAME}}}:meta"), "head"]), "4");
    let last = resumed(&hub, &ids[2]).await;
    assert!(last.gap().is_none(), "{:?}", last.resume());
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_race_after_a_restart_begin_one_epoch() {
    let mut server = RedisServer::start(&[]);
    let mut handles = Vec::new();
    for _ in 0..8 {
        handles.push(RedisHistory::connect(server.url(), NAME).await.unwrap());
    }
    appended(&handles[0], entry("a", 0)).await;
    let rows = handles[0].bounds(&[]).await.unwrap().epochs.rows().len();
    server.kill();
    server.revive();
    let mut calls = tokio::task::JoinSet::new();
    for (n, history) in handles.iter().cloned().enumerate() {
        calls.spawn(async move {
            while history.append(vec![entry("a", n)]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
    wait_for("all appended", calls.join_all()).await;
    let span = handles[7].bounds(&[]).await.unwrap();
    assert_eq!(span.epochs.rows().len(), rows + 1, "{:?}", span.epochs);
    assert_eq!(span.head, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_table_that_was_removed_begins_beyond_the_stream() {
    let server = RedisServer::start(&[]);
    let hub = Hub::open(RedisHistory::connect(server.url(), NAME).await.unwrap()).await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    let ids = publish(&hub, "a", 0..4).await;
    assert_eq!(data(&mut live, 4).await, ["0", "1", "2", "3"]);
    server.ask(&["DEL", &format!("sse:{{{NAME}}}:meta"), &format!("sse:{{{NAME}}}:epochs")]);
    let new = publish_at_last(&hub, "a", "new").await;
    assert!(new.ends_with("-5") && !ids.contains(&new), "{new}");
    assert_eq!(data(&mut live, 1).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_removed_is_a_gap_for_those_who_needed_it() {
    let server = RedisServer::start(&[]);
    let history = RedisHistory::connect(server.url(), NAME).await.unwrap();
    let hub = Hub::open(history.clone()).await.unwrap();
    let ids = publish(&hub, "a", 0..4).await;
    server.ask(&["DEL", &format!("sse:{{{NAME}}}:log")]);
    let new = publish_at_last(&hub, "a", "new").await;
    assert!(new.ends_with("-5") && !ids.contains(&new), "{new}");
    assert_eq!(texts(&history.read(4, 10, usize::MAX).await.unwrap()), ["new"]);
    assert_eq!(history.read(0, 10, usize::MAX).await.unwrap_err().kind(), HistoryErrorKind::Trimmed);
    // Another process has none of the events in its window.
    let other = Hub::open(RedisHistory::connect(server.url(), NAME).await.unwrap()).await.unwrap();
    let mut reader = other.subscribe("a").after(&*ids[0]).await.unwrap();
    assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Trimmed));
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(data(&mut reader, 1).await, ["new"]);
    let reader = other.subscribe("a").after(&*ids[3]).await.unwrap();
    assert!(reader.gap().is_none(), "{:?}", reader.resume());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_server_is_a_gap_for_all_readers() {
    let server = RedisServer::start(&[]);
    let hub = Hub::open(RedisHistory::connect(server.url(), NAME).await.unwrap()).await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    let ids = publish(&hub, "a", 0..4).await;
    assert_eq!(data(&mut live, 4).await, ["0", "1", "2", "3"]);
    server.ask(&["FLUSHALL"]);
    let new = publish_at_last(&hub, "a", "new").await;
    assert!(new.ends_with("-1") && !ids.contains(&new), "{new}");
    expect_fork(&mut live, 0).await;
    assert_eq!(data(&mut live, 1).await, ["new"]);
    let mut reader = hub.subscribe("a").after(&*ids[1]).start(Start::Earliest).await.unwrap();
    assert!(reader.gap().is_some(), "{:?}", reader.resume());
    assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
    assert_eq!(data(&mut reader, 1).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_setting_is_named() {
    let server = RedisServer::start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    server.ask(&["SET", &format!("sse:{{{NAME}}}:log"), "text"]);
    let refused = async |url: &str, name: &str| {
        let error = RedisHistory::connect(url, name).await.unwrap_err();
        assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
        error.to_string()
    };
    let error = refused(&server.url(), NAME).await;
    for part in ["maxmemory-policy", "allkeys-lru", "noeviction", "log", "string"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(refused(&server.url(), "a b").await.contains("name"));
    assert!(refused("http://127.0.0.1", NAME).await.contains("redis://"));
    let locked = RedisServer::start(&["--requirepass", "secret"]);
    assert!(refused(&locked.url(), NAME).await.contains("password"));
    let open = locked.url().replace("redis://", "redis://:secret@");
    RedisHistory::connect(open, NAME).await.unwrap();
    let silent = RedisServer::start(&["--rename-command", "INFO", ""]);
    assert!(refused(&silent.url(), NAME).await.contains("INFO"));
    let error = RedisHistory::connect("redis://127.0.0.1:1", NAME).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_refuses_and_keeps_nothing_of_it() {
    let server = RedisServer::start(&[]);
    let history = RedisHistory::connect(server.url(), NAME).await.unwrap();
    appended(&history, entry("a", "before")).await;
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = history.append(vec![entry("a", "refused")]).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Unavailable);
    assert!(error.to_string().contains("maxmemory"), "{error}");
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["before"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(appended(&history, entry("a", "after")).await.cursor.seq(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_may_ask_for_tls_and_a_password() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &file("key.pem"), "-out", &file("cert.pem")])
        .output()
        .expect("openssl; install it: apt-get install -y openssl");
    assert!(made.status.success(), "{made:?}");
    let port = sse_testkit::free_port().to_string();
    let (key, cert) = (file("key.pem"), file("cert.pem"));
    let options =
        ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let server = RedisServer::start(&options);
    server.ask(&["CONFIG", "SET", "requirepass", "secret"]);
    let url = format!("rediss://:secret@localhost:{port}");
    let append = |certificates: &str| {
        Command::new(env!("CARGO_BIN_EXE_sse-redis-append"))
            .args([&*url, NAME, "over TLS"])
            .env("SSL_CERT_FILE", certificates)
            .output()
            .unwrap()
    };
    let answer = append(&cert);
    assert!(answer.status.success(), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.stdout).trim().ends_with("-1"), "{answer:?}");
    // An untrusted certificate is refused.
    assert!(!append("/dev/null").status.success());
}
