//! The engines' own clients.

use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use redis::{Cmd, Value, aio::MultiplexedConnection};
use sse_checker::engines::{NatsServer, RedisServer};
use tempfile::TempDir;

use super::{append::rate, text};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");

pub(crate) async fn redb_commits(publishers: usize) -> f64 {
    let folder = TempDir::new().unwrap();
    let database = Arc::new(Database::create(folder.path().join("peer.redb")).unwrap());
    rate(publishers, move || {
        let database = Arc::clone(&database);
        async move {
            let commit = move || {
                let transaction = database.begin_write().unwrap();
                {
                    let mut table = transaction.open_table(TABLE).unwrap();
                    let next = table.last().unwrap().map_or(1, |(last, _)| last.value() + 1);
                    table.insert(next, text().as_bytes()).unwrap();
                }
                transaction.commit().unwrap();
            };
            tokio::task::spawn_blocking(commit).await.unwrap();
        }
    })
    .await
}

pub(crate) async fn redis_xadd(publishers: usize) -> f64 {
    let server = RedisServer::start(&[]);
    let connection = connect(&server).await;
    rate(publishers, move || {
        let mut connection = connection.clone();
        async move {
            let mut add = Cmd::new();
            add.arg("XADD").arg("peer").arg("*").arg("data").arg(text());
            let _: String = add.query_async(&mut connection).await.unwrap();
        }
    })
    .await
}

pub(crate) async fn nats_publish(publishers: usize) -> f64 {
    let server = NatsServer::start().await;
    let stream = serde_json::json!({ "name": "peer", "subjects": ["peer.>"], "storage": "file" });
    server.api("STREAM.CREATE.peer", stream).await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    rate(publishers, move || {
        let client = client.clone();
        async move {
            let acknowledged = client.request("peer.a", text().into()).await.unwrap();
            assert!(acknowledged.payload.starts_with(b"{\"stream\":"));
        }
    })
    .await
}

pub(crate) async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// Fills a stream, one entry per event.
pub(crate) async fn fill_stream(connection: &mut MultiplexedConnection, events: u64) {
    let mut pipe = redis::Pipeline::new();
    for seq in 1..=events {
        pipe.cmd("XADD").arg("peer").arg(format!("{seq}-0")).arg("data").arg(text()).ignore();
        if seq.is_multiple_of(1_000) {
            let _: () = pipe.query_async(connection).await.unwrap();
            pipe.clear();
        }
    }
}

/// Reads a whole stream, `count` entries at once; returns the number of entries.
pub(crate) async fn read_stream(connection: &mut MultiplexedConnection, count: usize) -> u64 {
    let mut after = 0_u64;
    loop {
        let mut range = Cmd::new();
        range.arg("XRANGE").arg("peer").arg(after + 1).arg("+").arg("COUNT").arg(count);
        let entries: Vec<(String, Value)> = range.query_async(connection).await.unwrap();
        let Some((last, _)) = entries.last() else { return after };
        after = last.split_once('-').unwrap().0.parse().unwrap();
    }
}

/// Reads a whole table, as a single range.
pub(crate) fn read_table(events: u64) -> std::time::Duration {
    let folder = TempDir::new().unwrap();
    let database = Database::create(folder.path().join("peer.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(TABLE).unwrap();
        for seq in 1..=events {
            table.insert(seq, text().as_bytes()).unwrap();
        }
    }
    transaction.commit().unwrap();
    let began = std::time::Instant::now();
    let transaction = database.begin_read().unwrap();
    let table = transaction.open_table(TABLE).unwrap();
    let bytes: usize = table.iter().unwrap().map(|row| row.unwrap().1.value().to_vec().len()).sum();
    assert_eq!(bytes, super::BYTES * events as usize);
    began.elapsed()
}
