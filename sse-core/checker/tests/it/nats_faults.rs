//! Faults of NATS JetStream under a history, and what readers receive then.

use std::collections::HashSet;

use serde_json::json;
use sse_checker::engines::NatsServer;
use sse_core::{
    Cursor, Event, GapReason, Hub, Start, Subscription,
    history::{History, HistoryErrorKind, NatsHistory, NatsStorage, TailEvent},
};
use sse_testkit::history_cases::{
    appended, data, entry, first_record, next, patterns, texts, topic, wait_for,
};

async fn open(server: &NatsServer) -> NatsHistory {
    NatsHistory::connect(server.url(), "shop").await.unwrap()
}

/// Publishes, again and again while the server is down, and returns the id.
async fn publish(hub: &Hub, name: &str, text: &str) -> String {
    wait_for("an event is published", async {
        loop {
            if let Ok(receipt) = hub.publish(name, Event::message(text)).key(text).await {
                return receipt.cursor.to_string();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

async fn publish_all(hub: &Hub, name: &str, texts: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for text in texts {
        ids.push(publish(hub, name, text).await);
    }
    ids
}

/// Appends, again and again until the stream exists.
async fn append_at_last(history: &NatsHistory, n: u64) {
    wait_for("it can be appended", async {
        while history.append(vec![entry("a", n)]).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn gap_of(subscription: &mut Subscription) -> String {
    let message = next(subscription).await;
    assert_eq!(message.event_type(), "sse.gap", "{message:?}");
    message.data().to_owned()
}

/// A store that is restored from a copy reuses its numbers: readers that saw a lost record get a gap, others do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_store_is_a_fork_for_those_who_saw_what_it_lost() {
    let mut server = NatsServer::start().await;
    let histories = [open(&server).await, open(&server).await];
    let hubs =
        [Hub::open(histories[0].clone()).await.unwrap(), Hub::open(histories[1].clone()).await.unwrap()];
    let before = publish_all(&hubs[0], "a", &["1", "2", "3"]).await;
    server.kill();
    let copy = server.copy();
    server.run().await;
    let lost = publish_all(&hubs[1], "a", &["4", "5", "6"]).await;
    let mut ahead = Vec::new();
    let mut behind = Vec::new();
    for hub in &hubs {
        let mut reader = hub.subscribe("a").start(Start::Earliest).await.unwrap();
        assert_eq!(data(&mut reader, 6).await, ["1", "2", "3", "4", "5", "6"]);
        ahead.push(reader);
        // This reader has not read beyond the surviving records.
        let mut reader = hub.subscribe("a").start(Start::Earliest).await.unwrap();
        assert_eq!(data(&mut reader, 2).await, ["1", "2"]);
        behind.push(reader);
    }
    server.kill();
    server.restore(&copy);
    server.run().await;
    let after = publish_all(&hubs[0], "a", &["four", "five"]).await;
    for reader in &mut ahead {
        let gap = gap_of(reader).await;
        assert!(gap.contains(r#""reason":"fork""#) && gap.contains("-3"), "{gap}");
        assert_eq!(data(reader, 2).await, ["four", "five"]);
    }
    for reader in &mut behind {
        assert_eq!(data(reader, 3).await, ["3", "four", "five"]);
    }
    let all: HashSet<&String> = before.iter().chain(&lost).chain(&after).collect();
    assert_eq!(all.len(), 8, "an id names two events");
    for hub in &hubs {
        for (place, id) in before.iter().enumerate() {
            let mut reader = hub.subscribe("a").after(&**id).await.unwrap();
            assert!(reader.gap().is_none(), "{id}: {:?}", reader.resume());
            assert_eq!(data(&mut reader, 4 - place).await, ["2", "3", "four", "five"][place..]);
        }
        for id in &lost {
            let mut reader = hub.subscribe("a").after(&**id).await.unwrap();
            assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Fork), "{id}");
            assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
            assert_eq!(data(&mut reader, 2).await, ["four", "five"]);
        }
        let reader = hub.subscribe("a").after(&*after[1]).await.unwrap();
        assert!(reader.gap().is_none(), "{:?}", reader.resume());
    }
    let spans = [histories[0].bounds(&[]).await.unwrap(), histories[1].bounds(&[]).await.unwrap()];
    assert_eq!(spans[0], spans[1]);
}

/// The same without a process that saw it happen: the table of epochs and the check in the id reveal it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_store_is_found_by_processes_that_began_later() {
    let mut server = NatsServer::start().await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let before = publish_all(&hub, "a", &["1", "2"]).await;
    server.kill();
    let copy = server.copy();
    server.run().await;
    let lost = publish_all(&hub, "a", &["3", "4"]).await;
    drop(hub);
    server.kill();
    server.restore(&copy);
    server.run().await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let after = publish_all(&hub, "a", &["three", "four", "five"]).await;
    for id in lost {
        let mut reader = hub.subscribe("a").after(&*id).start(Start::Earliest).await.unwrap();
        assert!(reader.gap().is_some(), "{id}: {:?}", reader.resume());
        gap_of(&mut reader).await;
    }
    for id in before.iter().chain(&after) {
        let reader = hub.subscribe("a").after(&**id).await.unwrap();
        assert!(reader.gap().is_none(), "{id}: {:?}", reader.resume());
    }
}

/// A position that was reused, in the same epoch, is not what the cursor names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_is_held_only_by_its_own_record() {
    let server = NatsServer::start().await;
    let history = NatsHistory::builder()
        .retention(sse_core::Retention::default().events(3))
        .connect(server.url(), "shop");
    let history = history.await.unwrap();
    let mut cursors: Vec<Cursor> = Vec::new();
    for n in 1..=5 {
        cursors.push(appended(&history, entry("a", n)).await.cursor);
    }
    let epoch = cursors[0].epoch();
    assert!(history.verify(cursors[3]).await.unwrap());
    let other = cursors[3].checksum().unwrap() ^ 1;
    assert!(!history.verify(Cursor::new(epoch, 4).with_checksum(other)).await.unwrap());
    assert!(!history.verify(Cursor::new(epoch, 6).with_checksum(other)).await.unwrap());
    // A trimmed record cannot be compared, and neither can a cursor without a check: the table of epochs decides.
    assert!(history.verify(cursors[0]).await.unwrap());
    assert!(history.verify(Cursor::new(epoch, 4)).await.unwrap());
    assert!(history.verify(Cursor::new(epoch, 0).with_checksum(other)).await.unwrap());
    let hub = Hub::open(history).await.unwrap();
    let forged = Cursor::new(epoch, 4).with_checksum(other);
    let reader = hub.subscribe("a").after(forged).await.unwrap();
    assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Fork));
}

/// A restart that loses nothing begins an epoch, and causes no gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_harmless_restart_is_a_gap_for_nobody() {
    let mut server = NatsServer::start().await;
    let history = open(&server).await;
    let hub = Hub::open(history.clone()).await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    let mut ids = Vec::new();
    for round in 0..3 {
        ids.push(publish(&hub, "a", &round.to_string()).await);
        assert_eq!(data(&mut live, 1).await, [round.to_string()]);
        server.kill();
        server.run().await;
    }
    ids.push(publish(&hub, "a", "3").await);
    assert_eq!(data(&mut live, 1).await, ["3"]);
    assert_eq!(history.bounds(&[]).await.unwrap().epochs.rows().len(), 4);
    let later = Hub::open(open(&server).await).await.unwrap();
    for hub in [&hub, &later] {
        for id in &ids {
            let reader = hub.subscribe("a").after(&**id).await.unwrap();
            assert!(reader.gap().is_none(), "{id}: {:?}", reader.resume());
        }
    }
}

/// A deleted stream is created again; every reader gets a gap, and continues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stream_is_a_gap_for_everyone() {
    let server = NatsServer::start().await;
    let history = open(&server).await;
    let hub = Hub::open(history.clone()).await.unwrap();
    let ids = publish_all(&hub, "a", &["1", "2", "3"]).await;
    let mut live = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut live, 3).await, ["1", "2", "3"]);
    let deleted = server.api("STREAM.DELETE.shop", json!({})).await.unwrap();
    assert_eq!(deleted["success"], true, "{deleted}");
    publish_all(&hub, "a", &["one", "two", "three", "four"]).await;
    gap_of(&mut live).await;
    assert_eq!(data(&mut live, 4).await, ["one", "two", "three", "four"]);
    let later = Hub::open(open(&server).await).await.unwrap();
    for hub in [&hub, &later] {
        for id in &ids {
            let mut reader = hub.subscribe("a").after(&**id).await.unwrap();
            assert!(reader.gap().is_some(), "{id}: {:?}", reader.resume());
            gap_of(&mut reader).await;
            assert_eq!(data(&mut reader, 4).await, ["one", "two", "three", "four"]);
        }
    }
}

/// The same without a process that saw it: the table of epochs knows when the stream was created.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stream_is_read_from_its_beginning() {
    let server = NatsServer::start().await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let ids = publish_all(&hub, "a", &["1", "2", "3"]).await;
    drop(hub);
    let deleted = server.api("STREAM.DELETE.shop", json!({})).await.unwrap();
    assert_eq!(deleted["success"], true, "{deleted}");
    let hub = Hub::open(open(&server).await).await.unwrap();
    publish_all(&hub, "a", &["one", "two", "three", "four"]).await;
    for id in &ids {
        let mut reader = hub.subscribe("a").after(&**id).await.unwrap();
        gap_of(&mut reader).await;
        assert_eq!(data(&mut reader, 4).await, ["one", "two", "three", "four"]);
    }
}

/// After one process has created the stream again, another names its appended records as readers receive them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_a_receipt_has_the_epoch_of_a_recreated_stream() {
    let server = NatsServer::start().await;
    let histories = [open(&server).await, open(&server).await];
    for made_again in 1..=2 {
        for n in 0..3 {
            appended(&histories[1], entry("a", n)).await;
        }
        let deleted = server.api("STREAM.DELETE.shop", json!({})).await.unwrap();
        assert_eq!(deleted["success"], true, "{deleted}");
        // The second time, the stream has grown beyond what the other process knows.
        for n in 0..made_again * 5 - 4 {
            append_at_last(&histories[0], n).await;
        }
        let receipt = appended(&histories[1], entry("a", "mine")).await.cursor;
        let records = histories[0].read(0, 100, usize::MAX).await.unwrap();
        assert_eq!(
            records.last().map(|record| record.cursor),
            Some(receipt),
            "made again {made_again} times"
        );
        assert_eq!(histories[1].read(0, 100, usize::MAX).await.unwrap(), records);
    }
}

/// Another process's records in the new stream are not read under the names of the old stream either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_a_recreated_stream_is_read_with_its_epoch() {
    let server = NatsServer::start().await;
    let histories = [open(&server).await, open(&server).await];
    for n in 0..3 {
        append_at_last(&histories[0], n).await;
    }
    assert_eq!(histories[1].read(0, 100, usize::MAX).await.unwrap().len(), 3);
    let deleted = server.api("STREAM.DELETE.shop", json!({})).await.unwrap();
    assert_eq!(deleted["success"], true, "{deleted}");
    for n in 0..5 {
        append_at_last(&histories[0], n).await;
    }
    let records = histories[1].read(0, 100, usize::MAX).await.unwrap();
    assert_eq!(records, histories[0].read(0, 100, usize::MAX).await.unwrap());
}

/// A deleted table of epochs is created again; connected readers are not disturbed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_table_of_epochs_disturbs_nobody_who_is_here() {
    let server = NatsServer::start().await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let ids = publish_all(&hub, "a", &["1", "2"]).await;
    let mut live = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut live, 2).await, ["1", "2"]);
    let deleted = server.api("STREAM.DELETE.shop-epochs", json!({})).await.unwrap();
    assert_eq!(deleted["success"], true, "{deleted}");
    let later = Hub::open(open(&server).await).await.unwrap();
    publish_all(&later, "a", &["3", "4"]).await;
    assert_eq!(data(&mut live, 2).await, ["3", "4"]);
    let reader = hub.subscribe("a").after(&*ids[1]).await.unwrap();
    assert!(reader.gap().is_none(), "{:?}", reader.resume());
    let reader = later.subscribe("a").after(&*ids[1]).await.unwrap();
    assert_eq!(reader.gap().map(|gap| gap.reason), Some(GapReason::Epoch));
}

/// Memory is lost with the server: every reader gets a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_in_memory_is_a_gap_after_a_restart() {
    let mut server = NatsServer::start().await;
    let history =
        NatsHistory::builder().storage(NatsStorage::Memory).connect(server.url(), "shop").await.unwrap();
    let hub = Hub::open(history).await.unwrap();
    let ids = publish_all(&hub, "a", &["1", "2"]).await;
    let mut live = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut live, 2).await, ["1", "2"]);
    server.kill();
    server.run().await;
    publish_all(&hub, "a", &["one"]).await;
    gap_of(&mut live).await;
    assert_eq!(data(&mut live, 1).await, ["one"]);
    let reader = hub.subscribe("a").after(&*ids[1]).await.unwrap();
    assert!(reader.gap().is_some(), "{:?}", reader.resume());
}

/// In a cluster the run of the server that stores the stream is not visible; the sent records are compared instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_behind_another_server_of_a_cluster_is_found() {
    let mut servers = NatsServer::start_cluster().await;
    let first = open(&servers[0]).await;
    let info = servers[0].api("STREAM.INFO.shop", json!({})).await.unwrap();
    let leader = info["cluster"]["leader"].as_str().unwrap();
    let keeper = ["n1", "n2", "n3"].iter().position(|name| *name == leader).unwrap();
    drop(first);
    let hub = Hub::open(open(&servers[(keeper + 1) % 3]).await).await.unwrap();
    let before = publish_all(&hub, "a", &["1", "2", "3"]).await;
    servers[keeper].kill();
    let copy = servers[keeper].copy();
    servers[keeper].run().await;
    let mut live = hub.subscribe("a").start(Start::Earliest).await.unwrap();
    let lost = publish_all(&hub, "a", &["4", "5", "6"]).await;
    assert_eq!(data(&mut live, 6).await, ["1", "2", "3", "4", "5", "6"]);
    servers[keeper].kill();
    servers[keeper].restore(&copy);
    servers[keeper].run().await;
    publish_all(&hub, "a", &["four", "five"]).await;
    let gap = gap_of(&mut live).await;
    assert!(gap.contains(r#""reason":"fork""#), "{gap}");
    assert_eq!(data(&mut live, 2).await, ["four", "five"]);
    for id in &before {
        let reader = hub.subscribe("a").after(&**id).await.unwrap();
        assert!(reader.gap().is_none(), "{id}: {:?}", reader.resume());
    }
    for id in &lost {
        let reader = hub.subscribe("a").after(&**id).await.unwrap();
        assert!(reader.gap().is_some(), "{id}: {:?}", reader.resume());
    }
}

/// With three replicas the loss of the leader is not a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_of_a_replicated_stream_is_a_gap_for_nobody() {
    let mut servers = NatsServer::start_cluster().await;
    let url = servers.each_ref().map(NatsServer::url).join(",");
    let history = NatsHistory::builder().replicas(3).connect(url, "shop").await.unwrap();
    let hub = Hub::open(history.clone()).await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    let info = servers[0].api("STREAM.INFO.shop", json!({})).await.unwrap();
    let leader = info["cluster"]["leader"].as_str().unwrap();
    let keeper = ["n1", "n2", "n3"].iter().position(|name| *name == leader).unwrap();
    let mut ids = publish_all(&hub, "a", &["1", "2"]).await;
    servers[keeper].kill();
    ids.extend(publish_all(&hub, "a", &["3", "4"]).await);
    servers[keeper].run().await;
    ids.extend(publish_all(&hub, "a", &["5"]).await);
    assert_eq!(data(&mut live, 5).await, ["1", "2", "3", "4", "5"]);
    for id in &ids {
        let reader = hub.subscribe("a").after(&**id).await.unwrap();
        assert!(reader.gap().is_none(), "{id}: {:?}", reader.resume());
    }
    assert_eq!(history.bounds(&[]).await.unwrap().epochs.rows().len(), 1);
}

/// The error names every setting that would lose or renumber events.
#[tokio::test]
async fn wrong_settings_of_a_stream_are_named() {
    let server = NatsServer::start().await;
    let stream = json!({
        "name": "shop", "subjects": ["shop.*"], "retention": "interest", "discard": "new", "storage": "file",
        "max_msgs": 10, "max_msgs_per_subject": 1, "num_replicas": 1, "allow_rollup_hdrs": true,
        "allow_msg_ttl": true, "no_ack": true,
    });
    let made = server.api("STREAM.CREATE.shop", stream).await.unwrap();
    assert!(made["error"].is_null(), "{made}");
    let error = NatsHistory::connect(server.url(), "shop").await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Settings);
    for setting in [
        "subjects is shop.* and must be shop.>",
        "retention is interest and must be limits",
        "discard is new and must be old",
        "max_msgs_per_subject is 1 and must be -1",
        "deny_delete is false and must be true",
        "deny_purge is false and must be true",
        "allow_rollup_hdrs is true and must be false",
        "allow_direct is false and must be true",
        "no_ack is true and must be false",
        "allow_msg_ttl is true and must be false",
    ] {
        assert!(error.to_string().contains(setting), "{setting}: {error}");
    }
    let error = NatsHistory::connect(server.url(), "shop.a").await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
    let error = NatsHistory::connect("not a url", "shop").await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
}

/// Without JetStream the error states what to do, and the same without a server.
#[tokio::test]
async fn a_server_without_jetstream_is_said_to_be() {
    let mut server = NatsServer::start_with(&[]).await;
    let error = NatsHistory::connect(server.url(), "shop").await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Unavailable);
    assert!(error.to_string().contains("nats-server -js"), "{error}");
    server.kill();
    let error = NatsHistory::connect(server.url(), "shop").await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Unavailable, "{error}");
}

/// An event that the server does not accept is refused, and the error states the maximum size.
#[tokio::test]
async fn an_event_that_is_too_large_is_refused() {
    let server = NatsServer::start().await;
    let history = open(&server).await;
    let error = history.append(vec![entry("a", "x".repeat(2 << 20))]).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Settings);
    assert!(error.to_string().contains("max_payload"), "{error}");
    // The entry before it is not stored either.
    let error = history.append(vec![entry("a", 0), entry("a", "x".repeat(2 << 20))]).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
    appended(&history, entry("a", 1)).await;
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["1"]);
}

/// Messages of other NATS clients are events like any other, and cannot write fields of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_messages_are_data() {
    let server = NatsServer::start().await;
    let history = open(&server).await;
    let mut tail: sse_testkit::history_cases::Tail = Box::pin(history.tail(0));
    let client = async_nats::connect(server.url()).await.unwrap();
    let payload = "x\n\nevent: sse.end\nid: 7\r\rdata: y";
    client.request("shop.a.b", payload.into()).await.unwrap();
    client.request("shop.$multi", "to nobody".into()).await.unwrap();
    let told = [first_record(&mut tail).await, first_record(&mut tail).await];
    assert_eq!(told[0].topics, [topic("a.b")]);
    assert_eq!(told[1].topics, []);
    assert_eq!(texts(&told)[0], "x\n\nevent: sse.end\nid: 7\n\ndata: y");
    // The check is the same for every way of reading, and holds.
    assert_eq!(history.read(0, 10, usize::MAX).await.unwrap(), told);
    assert!(history.verify(told[0].cursor).await.unwrap());
    assert_eq!(history.bounds(&patterns(&["a.b"])).await.unwrap().finished, []);
}

/// Foreign messages with our headers are data too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e14_messages_with_our_headers_are_data_too() {
    let server = NatsServer::start().await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let mut reader = hub.subscribe("a").await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let payloads =
        ["x", "data: x\n\nevent: sse.end\ndata: {}\n", "event: sse.gap\ndata: {}\n", "id: 1\ndata: x\n", ""];
    for payload in payloads {
        for kind in ["event", "finish"] {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Sse-Check", "0000002a");
            headers.insert("Sse-Kind", kind);
            client.request_with_headers("shop.a", headers.clone(), payload.into()).await.unwrap();
            let event = next(&mut reader).await;
            assert_eq!((event.event_type(), event.data()), ("message", payload), "{kind}");
            client.publish_with_headers("shop-signal.a", headers, payload.into()).await.unwrap();
            let signal = next(&mut reader).await;
            assert_eq!((signal.event_type(), signal.data()), ("message", payload), "{kind}");
        }
    }
    let later = Hub::open(open(&server).await).await.unwrap();
    let mut earliest = later.subscribe("a").start(Start::Earliest).await.unwrap();
    let expected: Vec<&str> = payloads.iter().flat_map(|payload| [*payload, *payload]).collect();
    assert_eq!(data(&mut earliest, expected.len()).await, expected);
}

/// Foreign messages where the table of epochs is stored are skipped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e14_messages_beside_the_table_of_epochs_stop_nobody() {
    let server = NatsServer::start().await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    let first = publish(&hub, "a", "1").await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let others = ["nonsense", "", "{}", r#"{"created":"x","server":null,"epochs":[]}"#, "[1]"];
    for payload in others {
        client.request("shop-epochs", payload.into()).await.unwrap();
    }
    publish(&hub, "a", "2").await;
    let later = Hub::open(open(&server).await).await.unwrap();
    publish(&later, "a", "3").await;
    let mut reader = later.subscribe("a").after(&*first).await.unwrap();
    assert!(reader.gap().is_none(), "{:?}", reader.resume());
    assert_eq!(data(&mut reader, 2).await, ["2", "3"]);
    // Enough of them that no table is left.
    for number in 0..20 {
        client.request("shop-epochs", format!("nonsense {number}").into()).await.unwrap();
    }
    publish(&later, "a", "4").await;
    publish(&hub, "a", "5").await;
    assert_eq!(data(&mut live, 5).await, ["1", "2", "3", "4", "5"]);
}

/// The table's stream has as many replicas as the events' stream, however that was created.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e14_the_table_of_epochs_has_the_replicas_of_the_events() {
    let servers = NatsServer::start_cluster().await;
    let replicas = async |stream: &str| {
        let info = servers[0].api(&format!("STREAM.INFO.{stream}"), json!({})).await;
        info.map(|info| info["config"]["num_replicas"].clone())
    };
    let connect = async |builder: sse_core::history::NatsHistoryBuilder| {
        wait_for("the cluster makes the streams", async {
            loop {
                match builder.clone().connect(servers[0].url(), "shop").await {
                    Ok(history) => return history,
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                }
            }
        })
        .await
    };
    let history = connect(NatsHistory::builder()).await;
    appended(&history, entry("a", 1)).await;
    assert_eq!(replicas("shop-epochs").await, Some(json!(1)));
    // An operator adds replicas to the events' stream.
    let info = servers[0].api("STREAM.INFO.shop", json!({})).await.unwrap();
    let mut config = info["config"].clone();
    config["num_replicas"] = json!(3);
    let updated = servers[0].api("STREAM.UPDATE.shop", config).await.unwrap();
    assert!(updated["error"].is_null(), "{updated}");
    let _history = connect(NatsHistory::builder()).await;
    wait_for("the table follows", async {
        while replicas("shop-epochs").await != Some(json!(3)) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// No topic shares its subject with another or with the events of several.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_begin_with_a_dollar_are_themselves() {
    let server = NatsServer::start().await;
    let (one, two) = (open(&server).await, open(&server).await);
    let names =
        ["$multi", "$$multi", "$", "$$", "$multi.x", "multi", "a.$multi", "a!\"#%&'()+,-./:;<=?@[\\]^_`{|}~"];
    let mut expected = Vec::new();
    for name in names {
        appended(&one, entry(name, name)).await;
        expected.push(vec![topic(name)]);
    }
    let mut topics = vec![topic("$multi"), topic("b"), topic("$$")];
    topics.sort();
    let mut both = entry("b", "both");
    both.topics = topics.clone();
    appended(&one, both).await;
    expected.push(topics);
    let told: Vec<_> =
        two.read(0, 100, usize::MAX).await.unwrap().into_iter().map(|record| record.topics).collect();
    assert_eq!(told, expected);
    let last = async |name| one.bounds(&patterns(&[name])).await.unwrap().last;
    assert_eq!(last("$multi").await, 9);
    assert_eq!(last("$multi.*").await, 9, "an event of several topics may have any");
}

/// A tail that is dropped and requested again continues at the requested position.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_can_be_asked_for_again() {
    use futures_util::StreamExt;
    let server = NatsServer::start().await;
    let history = open(&server).await;
    for n in 1..=3 {
        appended(&history, entry("a", n)).await;
    }
    for after in [0, 3, 1, 2] {
        let mut tail: sse_testkit::history_cases::Tail = Box::pin(history.tail(after));
        for seq in after + 1..=3 {
            let change = wait_for("a change", tail.next()).await.unwrap().unwrap();
            assert!(matches!(&change, TailEvent::Record(record) if record.cursor.seq() == seq), "{change:?}");
        }
    }
}
