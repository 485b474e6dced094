//! A sequencer that stands still: its process or its connection is stopped, and the others go on.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use sse_checker::engines::PostgresServer;
use sse_core::{Event, Hub, Subscription, history::PostgresHistory};
use sse_testkit::history_cases::{data, wait_for};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
};

async fn open(server: &PostgresServer) -> Hub {
    Hub::open(PostgresHistory::connect(server.url(), "sse").await.unwrap()).await.unwrap()
}

async fn send(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().await.unwrap().success(), "{signal} {pid}");
}

/// Publishes under a key until the event is stored.
async fn publish_at_last(hub: &Hub, text: &str) {
    wait_for("it can be published", async {
        while hub.publish("a", Event::message(text)).key(text).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The process of the server that has the lock of the sequencer.
async fn sequencer(server: &PostgresServer) -> String {
    let find = "select pid from pg_locks where locktype = 'advisory' and objid = 3 and granted";
    wait_for("there is a sequencer", async {
        loop {
            if let [pid] = &*server.ask(find).await {
                return pid.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// Publishes in transactions and waits for each; returns the longest time that one took.
async fn commits(server: &PostgresServer, reader: &mut Subscription, texts: &[&str]) -> Duration {
    let mut longest = Duration::ZERO;
    for text in texts {
        server.ask(&format!("select sse.publish('a', '{text}')")).await;
        let began = Instant::now();
        assert_eq!(data(reader, 1).await, [*text]);
        longest = longest.max(began.elapsed());
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_costs_latency_only() {
    let server = PostgresServer::start().await;
    let mut node = Command::new(env!("CARGO_BIN_EXE_sse-node"))
        .args(["--history", &format!("postgres:{}", server.url())])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().to_owned();
    let first = sequencer(&server).await;
    let hub = open(&server).await;
    let mut reader = hub.subscribe("a").await.unwrap();
    let pid = node.id().unwrap().to_string();
    send("-STOP", &pid).await;
    let longest = commits(&server, &mut reader, &["1", "2", "3"]).await;
    println!("commit to reader while the sequencer's process is stopped: at most {longest:?}");
    publish_at_last(&hub, "direct").await;
    assert_eq!(data(&mut reader, 1).await, ["direct"]);
    // The stopped process still has the lock: the other one has numbered without it.
    assert_eq!(sequencer(&server).await, first);
    send("-CONT", &pid).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"POST /publish?topic=a HTTP/1.1\r\ncontent-length: 4\r\n\r\nback").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(data(&mut reader, 1).await, ["back"]);
    commits(&server, &mut reader, &["4"]).await;
    assert_eq!(server.ask("select count(*), max(seq) from sse.event").await, ["6|6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_server_process_is_stopped_is_replaced() {
    let server = PostgresServer::start().await;
    let hubs = [open(&server).await, open(&server).await];
    let first = sequencer(&server).await;
    let mut readers = [hubs[0].subscribe("a").await.unwrap(), hubs[1].subscribe("a").await.unwrap()];
    // The three connections of a process are opened one after the other: the writer follows the listener.
    let find = format!(
        "select a.pid from pg_stat_activity a, pg_stat_activity l where l.pid = {first}
           and a.application_name = 'sse writer' and a.backend_start > l.backend_start order by a.backend_start limit 1"
    );
    let writer = server.ask(&find).await.remove(0);
    send("-STOP", &writer).await;
    let longest = commits(&server, &mut readers[1], &["1", "2", "3"]).await;
    println!("commit to reader while the sequencer's connection stands still: at most {longest:?}");
    for (hub, text) in [(1, "other"), (0, "own")] {
        publish_at_last(&hubs[hub], text).await;
    }
    send("-CONT", &writer).await;
    publish_at_last(&hubs[0], "last").await;
    assert_eq!(data(&mut readers[1], 3).await, ["other", "own", "last"]);
    assert_eq!(data(&mut readers[0], 6).await, ["1", "2", "3", "other", "own", "last"]);
}

/// The turn is the one lock that everybody waits for: who has it and stands still stops all numbering, and nothing is
/// lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_does_not_end_delays_everything_until_it_ends() {
    let server = PostgresServer::start().await;
    let hubs = [open(&server).await, open(&server).await];
    let mut reader = hubs[1].subscribe("a").await.unwrap();
    let turn = server.client().await;
    let take = "begin; select pg_advisory_xact_lock('sse.event'::regclass::oid::integer, 1)";
    turn.batch_execute(take).await.unwrap();
    server.ask("select sse.publish('a', 'sql')").await;
    let refused = hubs[0].publish("a", Event::message("direct")).key("direct").await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(server.ask("select count(*) from sse.event").await, ["0"]);
    // The server ends a transaction that is idle for too long if it is set up so; here it ends by hand.
    server
        .ask("select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'")
        .await;
    publish_at_last(&hubs[0], "direct").await;
    assert_eq!(data(&mut reader, 2).await, ["sql", "direct"]);
    assert_eq!(server.ask("select count(*), max(seq) from sse.event").await, ["2|2"]);
}
