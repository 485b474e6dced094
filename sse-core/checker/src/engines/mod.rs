//! The engines as tests start, kill and open them.

mod certificate;
mod file;
mod folder;
mod nats;
mod pgbouncer;
mod postgres;
mod postgres_server;
mod proxy;
mod redis;
mod redis_server;
mod sentinel;

pub use certificate::Certificate;
pub use file::FileEngine;
pub use nats::{NatsEngine, NatsServer};
pub use pgbouncer::PgBouncer;
pub use postgres::PostgresEngine;
pub use postgres_server::PostgresServer;
pub use proxy::Proxy;
pub use redis::RedisEngine;
pub use redis_server::RedisServer;
pub use sentinel::Sentinel;
