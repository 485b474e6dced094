//! Publishing in PostgreSQL's transactions: what it costs them, and how soon a reader gets the event.

use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    time::{Duration, Instant},
};

use sse_checker::engines::PostgresServer;
use sse_core::{Hub, history::PostgresHistory};
use sse_testkit::history_cases::next;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::Client;

use super::{append, text};

const CONNECTIONS: [usize; 3] = [1, 16, 50];

/// The rates of events a second, and the number of events measured at each.
const RATES: [(u64, usize); 2] = [(20, 200), (1_000, 5_000)];

pub(crate) async fn run() {
    for (name, options) in
        [("PostgreSQL", &[][..]), ("synchronous replica, 5 ms late", &["synchronous_commit=remote_apply"])]
    {
        let server = Arc::new(PostgresServer::start_with(options).await);
        let history = PostgresHistory::connect(server.url(), "sse").await.unwrap();
        let replica = match options {
            [] => None,
            _ => Some(server.replica(&["recovery_min_apply_delay=5"]).await),
        };
        if replica.is_some() {
            server.ask("alter system set synchronous_standby_names = '*'").await;
            server.ask("select pg_reload_conf()").await;
        }
        commits(name, &server).await;
        drop(history);
        for (rate, count) in RATES {
            latency(name, &server, rate, count).await;
        }
    }
}

/// Transactions a second, each with one event or one row of the same size.
async fn commits(name: &str, server: &PostgresServer) {
    server.ask("create table plain as select * from sse.outbox with no data").await;
    let row =
        format!("insert into plain values (1, false, 't', null, convert_to(E'data: {}\\n', 'UTF8'))", text());
    let works = [
        ("a plain insert", row.clone()),
        ("sse.publish", format!("select sse.publish('t', '{}')", text())),
        ("a plain insert and NOTIFY", format!("begin; {row}; notify box; commit")),
    ];
    println!("transactions a second on {name:<27} 1 connection        16        50");
    for (what, sql) in works {
        print!("{what:<45}");
        for connections in CONNECTIONS {
            let mut clients = Vec::new();
            for _ in 0..connections {
                clients.push(Arc::new(server.client().await));
            }
            let (clients, turn) = (Arc::new(clients), Arc::new(AtomicUsize::new(0)));
            let sql: Arc<str> = sql.clone().into();
            let rate = append::rate(connections, move || {
                let client = Arc::clone(&clients[turn.fetch_add(1, Ordering::Relaxed) % clients.len()]);
                let sql = Arc::clone(&sql);
                async move { client.batch_execute(&sql).await.unwrap() }
            });
            print!("{:>10.0}", rate.await);
        }
        println!();
    }
}

/// From the return of a commit to the arrival at a reader.
async fn latency(name: &str, server: &PostgresServer, rate: u64, count: usize) {
    let hub = Hub::open(PostgresHistory::connect(server.url(), "sse").await.unwrap()).await.unwrap();
    let mut reader = hub.subscribe("l").await.unwrap();
    let mut clients: Vec<Arc<Client>> = Vec::new();
    for _ in 0..16 {
        clients.push(Arc::new(server.client().await));
    }
    let began = Instant::now();
    let committed = Arc::new(std::sync::Mutex::new(vec![None; count]));
    let publishing = tokio::spawn({
        let committed = Arc::clone(&committed);
        async move {
            let mut ticks = interval(Duration::from_nanos(1_000_000_000 / rate));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for number in 0..count {
                ticks.tick().await;
                let (client, committed) =
                    (Arc::clone(&clients[number % clients.len()]), Arc::clone(&committed));
                tokio::spawn(async move {
                    client.batch_execute(&format!("select sse.publish('l', '{number}')")).await.unwrap();
                    committed.lock().unwrap()[number] = Some(began.elapsed());
                });
            }
        }
    });
    let mut arrived = vec![Duration::ZERO; count];
    for _ in 0..count {
        let number: usize = next(&mut reader).await.data().parse().unwrap();
        arrived[number] = began.elapsed();
    }
    let took = began.elapsed();
    publishing.await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let committed = committed.lock().unwrap();
    let mut each: Vec<Duration> = arrived
        .iter()
        .zip(committed.iter())
        .map(|(arrived, committed)| arrived.saturating_sub(committed.unwrap_or_default()))
        .collect();
    each.sort_unstable();
    let at = |share: f64| each[(each.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    let reached = count as f64 / took.as_secs_f64();
    println!(
        "commit to reader at {rate} a second ({reached:.0} reached), {name}: p50 {:.2} ms   p99 {:.2} ms",
        at(0.5),
        at(0.99)
    );
}
