//! Many transactions publish at once, in every isolation level, while sessions are killed: what is in the log afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use sse_checker::engines::PostgresServer;
use sse_core::history::{History, PostgresHistory};
use sse_testkit::history_cases::{appended, entry, settled, texts, wait_for};
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, types::Type};

/// How long publishers publish.
const LENGTH: Duration = Duration::from_secs(6);

/// What publishers committed: for each publisher its events in order; those with a key may have been dropped.
type Committed = BTreeMap<usize, Vec<(usize, Option<String>)>>;

/// The differences between what was committed and what was received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    received: usize,
    lost: usize,
    twice: usize,
    /// Received before an earlier event of the same publisher.
    disordered: usize,
    /// Received, and never committed.
    invented: usize,
    /// Keys that were received more than once.
    keys_twice: usize,
}

/// Compares what was committed with what was received, as `publisher:number` in the order of receipt.
fn judge(committed: &Committed, received: &[String]) -> Verdict {
    let mut verdict = Verdict { received: received.len(), ..Verdict::default() };
    let mut by_publisher: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for text in received {
        let (publisher, number) = text.split_once(':').expect("our text");
        by_publisher
            .entry(publisher.parse().expect("number"))
            .or_default()
            .push(number.parse().expect("number"));
    }
    let mut keys = BTreeSet::new();
    for (publisher, events) in committed {
        let got = by_publisher.remove(publisher).unwrap_or_default();
        let set: BTreeSet<usize> = got.iter().copied().collect();
        verdict.twice += got.len() - set.len();
        verdict.disordered += got.windows(2).filter(|pair| pair[1] <= pair[0]).count();
        verdict.invented +=
            set.iter().filter(|number| !events.iter().any(|(known, _)| known == *number)).count();
        for (number, key) in events {
            match key {
                None => verdict.lost += usize::from(!set.contains(number)),
                Some(key) if set.contains(number) => {
                    verdict.keys_twice += usize::from(!keys.insert((*publisher, key.clone())));
                }
                Some(_) => {}
            }
        }
    }
    verdict.invented += by_publisher.values().map(Vec::len).sum::<usize>();
    verdict
}

impl Verdict {
    fn is_good(&self) -> bool {
        *self == Self { received: self.received, ..Self::default() }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, lost, twice, disordered, invented, keys_twice } = self;
        write!(
            f,
            "{received} received, {lost} lost, {twice} twice, {disordered} out of order, {invented} never committed, \
             {keys_twice} keys twice"
        )
    }
}

const LEVELS: [&str; 3] = ["read committed", "repeatable read", "serializable"];

/// Publishes in transactions with changes of its own table, some of which roll back.
async fn publisher(
    server: Arc<PostgresServer>,
    number: usize,
    until: Instant,
) -> (usize, Vec<(usize, Option<String>)>) {
    let client = server.client().await;
    let begin = format!("begin isolation level {}", LEVELS[number % LEVELS.len()]);
    let mut committed = Vec::new();
    for event in 0.. {
        if Instant::now() > until {
            break;
        }
        let key = (event % 5 == 0).then(|| format!("k{}", fastrand::u8(..40)));
        client.batch_execute(&begin).await.unwrap();
        client.batch_execute(&format!("update business_{number} set n = n + 1")).await.unwrap();
        let text = format!("{number}:{event}");
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
            [(&format!("p.{number}"), Type::TEXT), (&text, Type::TEXT), (&key, Type::TEXT)];
        client.query_typed("select sse.publish($1, $2, key => $3)", &params).await.unwrap();
        if fastrand::u8(..10) == 0 {
            sleep(Duration::from_millis(fastrand::u64(..30))).await;
        }
        if fastrand::u8(..10) == 0 {
            client.batch_execute("rollback").await.unwrap();
        } else {
            client.batch_execute("commit").await.unwrap();
            committed.push((event, key));
        }
    }
    (number, committed)
}

/// Publishes in a transaction and directly, in turns: each stands after the one before.
async fn direct(
    server: Arc<PostgresServer>,
    history: PostgresHistory,
    number: usize,
    until: Instant,
) -> (usize, Vec<(usize, Option<String>)>) {
    let client = server.client().await;
    let mut committed = Vec::new();
    for event in 0.. {
        if Instant::now() > until {
            break;
        }
        if event % 2 == 0 {
            let text = format!("select sse.publish('p.{number}', '{number}:{event}')");
            client.batch_execute(&text).await.unwrap();
        } else {
            let text = format!("{number}:{event}");
            let keyed = || entry(&format!("p.{number}"), &text).with_key(text.clone());
            wait_for("it is appended", async {
                while history.append(vec![keyed()]).await.is_err() {
                    sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        }
        committed.push((event, None));
        sleep(Duration::from_millis(5)).await;
    }
    (number, committed)
}

/// Ends one of the hubs' sessions.
async fn kill_one(client: &Client) {
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
        where application_name like 'sse %' order by random() limit 1";
    client.batch_execute(kill).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_to_p6_nothing_is_lost_twice_or_out_of_order_while_sessions_are_killed() {
    let server = Arc::new(PostgresServer::start().await);
    let histories = [
        PostgresHistory::connect(server.url(), "sse").await.unwrap(),
        PostgresHistory::connect(server.url(), "sse").await.unwrap(),
    ];
    // One table for each: serializable transactions that read the same table fail without us as well.
    for number in 0..8 {
        server.ask(&format!("create table business_{number} as select 0 as n")).await;
    }
    let until = Instant::now() + LENGTH;
    let mut publishers = tokio::task::JoinSet::new();
    for number in 0..8 {
        publishers.spawn(publisher(Arc::clone(&server), number, until));
    }
    for number in 8..10 {
        publishers.spawn(direct(Arc::clone(&server), histories[number - 8].clone(), number, until));
    }
    let client = server.client().await;
    let mut killed = 0;
    while Instant::now() + Duration::from_millis(1_500) < until {
        sleep(Duration::from_millis(1_500)).await;
        kill_one(&client).await;
        killed += 1;
    }
    let committed: Committed = publishers.join_all().await.into_iter().collect();
    wait_for("the outbox is empty", async {
        while server.ask("select count(*) from sse.outbox").await != ["0"] {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let bounds = wait_for("the bounds", async {
        loop {
            if let Ok(bounds) = histories[0].bounds(&[]).await {
                return bounds;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let records = histories[0].read(0, 1_000_000, usize::MAX).await.unwrap();
    assert_eq!(records.len() as u64, bounds.head, "holes");
    let verdict = judge(&committed, &texts(&records));
    println!("{verdict}; {killed} sessions killed, {} epochs", bounds.epochs.rows().len());
    assert!(verdict.is_good() && verdict.received > 200, "{verdict}");
    assert!(killed > 0);
}

/// A reader by `id > last` loses what commits late; the same check finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_a_reader_by_ids_fails_the_same_check() {
    let server = PostgresServer::start().await;
    let history = PostgresHistory::connect(server.url(), "sse").await.unwrap();
    server.ask("create table naive (id bigint generated always as identity primary key, text text)").await;
    let (late, early) = (server.client().await, server.client().await);
    late.batch_execute("begin; insert into naive (text) values ('0:0'); select sse.publish('p', '0:0')")
        .await
        .unwrap();
    early
        .batch_execute(
            "begin; insert into naive (text) values ('1:0'); select sse.publish('p', '1:0'); commit",
        )
        .await
        .unwrap();
    let (mut last, mut naive) = (0_i64, Vec::new());
    for step in ["", "commit"] {
        late.batch_execute(step).await.unwrap();
        for row in
            early.query("select id, text from naive where id > $1 order by id", &[&last]).await.unwrap()
        {
            last = row.get(0);
            naive.push(row.get::<_, String>(1));
        }
    }
    settled(&history, &[], |bounds| bounds.head == 2).await;
    let committed: Committed = [(0, vec![(0, None)]), (1, vec![(0, None)])].into();
    assert!(judge(&committed, &texts(&history.read(0, 10, usize::MAX).await.unwrap())).is_good());
    assert_eq!(judge(&committed, &naive).lost, 1);
}

/// Publishers do not notify while the sequencer promises to look, and what they publish arrives all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p14_a_burst_is_numbered_without_notifications_and_so_is_a_single_event_after_it() {
    let server = Arc::new(PostgresServer::start().await);
    let history = PostgresHistory::connect(server.url(), "sse").await.unwrap();
    let mut publishers = tokio::task::JoinSet::new();
    let promised = || async { server.ask("select last_value > 0 from sse.promise").await == ["t"] };
    for number in 0..8 {
        let client = server.client().await;
        publishers.spawn(async move {
            for event in 0..60 {
                client.batch_execute(&format!("select sse.publish('p', '{number}:{event}')")).await.unwrap();
            }
        });
    }
    let mut has_promised = false;
    while publishers.try_join_next().is_none() || !publishers.is_empty() {
        has_promised |= promised().await;
        sleep(Duration::from_millis(5)).await;
        if publishers.is_empty() {
            break;
        }
    }
    assert!(has_promised, "there was no promise during a burst");
    settled(&history, &[], |bounds| bounds.head == 480).await;
    wait_for("the promise is withdrawn", async {
        while promised().await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // A transaction that read the promise while it was valid commits without notifying.
    server.ask("select setval('sse.promise', (extract(epoch from now()) * 1000)::bigint + 100)").await;
    server.ask("select sse.publish('p', '9:0')").await;
    settled(&history, &[], |bounds| bounds.head == 481).await;
    appended(&history, entry("p", "direct")).await;
    settled(&history, &[], |bounds| bounds.head == 482).await;
}

/// What is known of an empty outbox does not count the events of open transactions: they stand before what is appended
/// after their commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_open_while_the_outbox_was_empty_stands_before_a_later_append() {
    let server = PostgresServer::start().await;
    let history = PostgresHistory::connect(server.url(), "sse").await.unwrap();
    let client = server.client().await;
    let mut expected = Vec::new();
    for round in 0..4 {
        let (sql, direct) = (format!("sql {round}"), format!("direct {round}"));
        client.batch_execute(&format!("begin; select sse.publish('p', '{sql}')")).await.unwrap();
        // Notified while it is open, the sequencer looks and finds nothing more.
        let other = format!("other {round}");
        server.ask(&format!("select sse.publish('p', '{other}')")).await;
        settled(&history, &[], |bounds| bounds.head == expected.len() as u64 + 1).await;
        sleep(Duration::from_millis(100)).await;
        client.batch_execute("commit").await.unwrap();
        appended(&history, entry("p", &direct)).await;
        expected.extend([other, sql, direct]);
    }
    assert_eq!(texts(&history.read(0, 100, usize::MAX).await.unwrap()), expected);
}
