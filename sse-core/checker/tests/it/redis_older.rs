//! A Redis with older data under running processes: a former primary that was never demoted, keys that were restored.

use std::time::Duration;

use sse_checker::engines::RedisServer;
use sse_core::{
    Event, Hub, Pattern, Receipt, Subscription,
    history::{History, RedisHistory},
};
use sse_testkit::history_cases::{appended, data, entry, next, wait_for};

const NAME: &str = "test";

fn key(what: &str) -> String {
    format!("sse:{{{NAME}}}:{what}")
}

async fn open(url: &str) -> Hub {
    Hub::open(RedisHistory::connect(url, NAME).await.unwrap()).await.unwrap()
}

/// Publishes under a key until the event is stored.
async fn publish(hub: &Hub, text: &str) -> Receipt {
    wait_for("it can be published", async {
        loop {
            match hub.publish("a", Event::message(text)).key(text).await {
                Ok(receipt) => return receipt,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
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
    let head = |server: &RedisServer| server.ask(&["HGET", &key("meta"), "head"]);
    until("the replica has everything", || head(primary) == head(replica)).await;
}

async fn expect_fork(reader: &mut Subscription, resumed_at: u64) {
    let gap = next(reader).await;
    assert_eq!(gap.event_type(), "sse.gap", "{gap:?}");
    assert!(gap.data().contains(r#""reason":"fork""#), "{gap:?}");
    assert!(gap.last_event_id().ends_with(&format!("-{resumed_at}")), "{gap:?}");
}

/// Checks that a reader's next event is that of this receipt, and that the receipt counts this reader.
async fn expect(reader: &mut Subscription, text: &str, receipt: Receipt) {
    let event = next(reader).await;
    assert_eq!((event.data(), event.last_event_id()), (text, &*receipt.cursor.to_string()));
    assert_ne!(receipt.receivers, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_a_primary_that_goes_on_undemoted() {
    let (primary, mut other) = pair().await;
    let hub = open(&format!("{},{}", primary.url(), other.url())).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    for text in ["1", "2", "3"] {
        publish(&hub, text).await;
    }
    assert_eq!(data(&mut reader, 3).await, ["1", "2", "3"]);
    caught_up(&primary, &other).await;
    primary.freeze();
    other.ask(&["REPLICAOF", "NO", "ONE"]);
    let mut lost = Vec::new();
    for text in ["b4", "b5", "b6"] {
        let receipt = publish(&hub, text).await;
        expect(&mut reader, text, receipt).await;
        lost.push(receipt.cursor);
    }
    // A process without knowledge of the other one has written to it in the meantime.
    primary.thaw();
    let there = RedisHistory::connect(primary.url(), NAME).await.unwrap();
    // An event sent to it before it was abandoned has arrived: the hub could not know that.
    assert_eq!(appended(&there, entry("a", "a5")).await.cursor.seq(), 5);
    other.kill();
    let new = publish(&hub, "new").await;
    assert!(!lost.contains(&new.cursor) && new.cursor.seq() == 6, "{new:?}");
    expect_fork(&mut reader, 3).await;
    assert_eq!(data(&mut reader, 2).await, ["b4", "a5"]);
    expect(&mut reader, "new", new).await;
    // A reader that was disconnected gets the same.
    let mut back = hub.subscribe("a").after(lost[2]).await.unwrap();
    expect_fork(&mut back, 3).await;
    assert_eq!(data(&mut back, 3).await, ["b4", "a5", "new"]);
    // And back to the other one, which does not know about this either.
    other.revive_with(&[]);
    primary.freeze();
    let newer = publish(&hub, "newer").await;
    expect_fork(&mut reader, 3).await;
    assert_eq!(data(&mut reader, 3).await, ["b4", "b5", "b6"]);
    expect(&mut reader, "newer", newer).await;
}

/// Copies each key, or restores it.
fn copy(server: &RedisServer, back: bool) {
    for what in ["log", "meta", "epochs", "topics", "marks"] {
        let (key, copy) = (key(what), format!("copy:{what}"));
        let (from, to) = if back { (&copy, &key) } else { (&key, &copy) };
        server.ask(&["COPY", from, to, "REPLACE"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_keys_that_were_put_back() {
    let server = RedisServer::start(&[]);
    let hub = open(&server.url()).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    publish(&hub, "1").await;
    publish(&hub, "2").await;
    copy(&server, false);
    let lost = publish(&hub, "lost").await;
    assert_eq!(data(&mut reader, 3).await, ["1", "2", "lost"]);
    copy(&server, true);
    let new = publish(&hub, "new").await;
    assert!(new.cursor.seq() == 3 && new.cursor != lost.cursor, "{new:?}");
    expect_fork(&mut reader, 2).await;
    expect(&mut reader, "new", new).await;
    // The tail detects it by itself as well.
    publish(&hub, "4").await;
    assert_eq!(data(&mut reader, 1).await, ["4"]);
    copy(&server, true);
    expect_fork(&mut reader, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_a_table_that_was_emptied_does_not_stop_a_new_process() {
    let server = RedisServer::start(&[]);
    let hub = open(&server.url()).await;
    let first = publish(&hub, "1").await;
    publish(&hub, "2").await;
    server.ask(&["DEL", &key("epochs")]);
    let other = open(&server.url()).await;
    assert_eq!(publish(&other, "3").await.cursor.seq(), 3);
    let mut reader = other.subscribe("a").start(sse_core::Start::Earliest).await.unwrap();
    assert_eq!(data(&mut reader, 3).await, ["1", "2", "3"]);
    let mut reader = hub.subscribe("a").after(first.cursor).await.unwrap();
    assert_eq!(data(&mut reader, 2).await, ["2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_without_a_record_do_not_pile_up() {
    let server = RedisServer::start(&[]);
    let history = RedisHistory::connect(server.url(), NAME).await.unwrap();
    let first = appended(&history, entry("a", 1)).await.cursor;
    let script = "for n = 1, 1500 do redis.call('RPUSH', KEYS[1], string.format('%016x 2', n)) end";
    server.ask(&["EVAL", script, "1", &key("epochs")]);
    let second = appended(&history, entry("a", 2)).await.cursor;
    let epochs = history.bounds(&[]).await.unwrap().epochs;
    assert_eq!(epochs.rows().len(), 1_000);
    assert_eq!((epochs.at(1), epochs.at(2)), (first.epoch(), second.epoch()));
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_are_judged_over_many_pages() {
    let server = RedisServer::start(&[]);
    let history = RedisHistory::connect(server.url(), NAME).await.unwrap();
    appended(&history, entry("first.x", 1)).await;
    let entries = (0..1_700).map(|n| entry(&format!("user.{n}"), n)).collect();
    history.append(entries).await.unwrap();
    let last = async |patterns: &[&str]| {
        let patterns: Vec<Pattern> = patterns.iter().map(|text| Pattern::new(*text).unwrap()).collect();
        history.bounds(&patterns).await.unwrap().last
    };
    assert_eq!(last(&["first.*"]).await, 1);
    assert_eq!(last(&["user.*", "first.>"]).await, 1_701);
    assert_eq!(last(&["*.1200", "first.*"]).await, 1_202);
    assert_eq!(last(&["none.*", "*.*.*"]).await, 0);
    // Beyond the cost limit of one query, the answer is an upper bound.
    let entries = (1_700..11_000).map(|n| entry(&format!("user.{n}"), n)).collect();
    history.append(entries).await.unwrap();
    assert_eq!(last(&["first.*"]).await, 11_001);
}
