//! The four engines, each a real one: the suite of `sse-testkit`, faults of each, and the checker's short form.

mod checker;
mod file_crash;
mod file_rules;
mod history_file;
mod history_nats;
mod history_postgres;
mod history_redis;
mod nats_faults;
mod postgres_copies;
mod postgres_faults;
mod postgres_outbox;
mod postgres_sequencer;
mod postgres_sql;
mod postgres_tls;
mod redis_faults;
mod redis_foreign;
mod redis_older;
