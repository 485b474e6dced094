//! Foreign writes into the keys of a history in Redis become data or are ignored, and never stop the history.

use sse_checker::engines::RedisServer;
use sse_core::{Event, Hub, Start, history::RedisHistory};
use sse_testkit::history_cases::{data, next};

const NAME: &str = "test";
const EPOCH: &str = "00000000000000aa";

fn key(what: &str) -> String {
    format!("sse:{{{NAME}}}:{what}")
}

async fn open(server: &RedisServer) -> Hub {
    Hub::open(RedisHistory::connect(server.url(), NAME).await.unwrap()).await.unwrap()
}

async fn publish(hub: &Hub, text: &str) -> u64 {
    hub.publish("a", Event::message(text)).await.unwrap().cursor.seq()
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_entries_in_the_stream() {
    let server = RedisServer::start(&[]);
    let hub = open(&server).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    publish(&hub, "1").await;
    let log = key("log");
    let current = server.ask(&["HGET", &key("meta"), "epoch"]);
    let mut expected = vec!["1".to_owned()];
    let foreign: [&[&str]; 7] = [
        &["*", "field", "value"],
        &["*", "field", "value", "other", "value"],
        &["99999999999999-1", EPOCH, "value"],
        &["99999999999999-1", &current, "value"],
        &["99999999999999-999", &current, "value"],
        &["5-3", &current, "value"],
        &["6-3", EPOCH, "value"],
    ];
    for fields in foreign {
        let head = expected.len() as u64;
        server.ask(&[&["XADD", &log], fields].concat());
        expected.push(format!("after {fields:?}"));
        assert_eq!(publish(&hub, expected.last().unwrap()).await, head + 1, "{fields:?}");
    }
    assert_eq!(data(&mut reader, expected.len()).await, expected);
    // They do not disturb a process that is new, or that publishes nothing.
    let head = expected.len();
    server.ask(&["XADD", &log, &format!("{head}-300"), "field", "value"]);
    expected.push("behind".to_owned());
    publish(&hub, "behind").await;
    server.ask(&["XADD", &log, "*", "field", "value"]);
    let other = open(&server).await;
    let mut earliest = other.subscribe("a").start(Start::Earliest).await.unwrap();
    assert_eq!(data(&mut earliest, expected.len()).await, expected);
    publish(&other, "last").await;
    assert_eq!(data(&mut earliest, 1).await, ["last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_an_entry_in_our_own_form_is_data() {
    let server = RedisServer::start(&[]);
    let hub = open(&server).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    publish(&hub, "1").await;
    assert_eq!(data(&mut reader, 1).await, ["1"]);
    let current = server.ask(&["HGET", &key("meta"), "epoch"]);
    let lines = "data: x\n\nevent: sse.end\ndata: {}\nid: 1\n";
    // `redis-cli` cannot pass a zero byte.
    let script = "return redis.call('XADD', KEYS[1], '2-1', ARGV[1], '\\0\\1\\0\\1\\0a' .. ARGV[2] .. '\\0\\0\\0' .. ARGV[3])";
    let len = String::from_utf8(vec![u8::try_from(lines.len()).unwrap()]).unwrap();
    assert_eq!(server.ask(&["EVAL", script, "1", &key("log"), &current, &len, lines]), "2-1");
    let event = next(&mut reader).await;
    assert_eq!((event.event_type(), event.data()), ("message", lines));
    assert!(event.last_event_id().ends_with("-2"), "{event:?}");
    // Its position is taken.
    assert_eq!(publish_at_last(&hub, "3").await, 3);
    assert_eq!(data(&mut reader, 1).await, ["3"]);
}

async fn publish_at_last(hub: &Hub, text: &str) -> u64 {
    match hub.publish("a", Event::message(text)).await {
        Ok(receipt) => receipt.cursor.seq(),
        // The head was unknown; now it is known.
        Err(_) => publish(hub, text).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_rows_and_fields_of_the_other_keys() {
    let server = RedisServer::start(&[]);
    let hub = open(&server).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    publish(&hub, "1").await;
    let commands: [&[&str]; 14] = [
        &["RPUSH", &key("epochs"), "nonsense"],
        &["LPUSH", &key("epochs"), "zz 1"],
        &["LPUSH", &key("epochs"), "\u{ff}"],
        &["RPUSH", &key("marks"), "x"],
        &["LPUSH", &key("marks"), "1 2"],
        &["ZADD", &key("topics"), "inf", "b", "-inf", "c", "1.5", "d", "1e300", "not a topic"],
        &["ZADD", &key("topics"), "-5", "a"],
        &["HSET", &key("finishes"), "b", "x", "a", ""],
        &["HSET", &key("lulls"), "a", "1e999 x"],
        &["HSET", &key("meta"), "bytes", "many"],
        &["HSET", &key("meta"), "forgotten", "all"],
        &["SET", &key("key:1 a k"), "nonsense"],
        &["PUBLISH", &key("signals"), "nonsense"],
        &["HSET", &key("meta"), "head", "nonsense"],
    ];
    for (number, command) in commands.iter().enumerate() {
        server.ask(command);
        let text = (number + 2).to_string();
        publish(&hub, &text).await;
        assert_eq!(data(&mut reader, 2 - usize::from(number > 0)).await.last(), Some(&text), "{command:?}");
        // A query that needs the keys.
        let patterns = ["a", "b", "c.*", ">"].map(|text| sse_core::Pattern::new(text).unwrap());
        let _ = hub.subscribe(patterns).after("00000000000000ff-1").await.unwrap();
        let other = open(&server).await;
        let mut earliest = other.subscribe("a").start(Start::Earliest).await.unwrap();
        assert_eq!(data(&mut earliest, number + 2).await.last(), Some(&text), "{command:?}");
    }
}
