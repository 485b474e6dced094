//! History: the stored events with their order and topics; and the engines that store them durably.

#[cfg(any(feature = "file", feature = "redis"))]
mod codec;
mod covers;
mod engine;
#[cfg(feature = "file")]
mod file;
mod foreign;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod mark;
#[cfg(any(feature = "file", feature = "postgres", feature = "redis"))]
mod matcher;
#[cfg(feature = "nats")]
mod nats;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod retention;
#[cfg(any(feature = "file", feature = "nats", feature = "postgres", feature = "redis"))]
mod tail;
mod topic;
mod topic_list;
mod topic_parts;

pub use engine::{
    Appended, Entry, EntryKind, History, HistoryBounds, HistoryError, HistoryErrorKind, Record,
    SignalReceipt, TailEvent,
};
#[cfg(feature = "file")]
pub use file::{FileHistory, FileHistoryBuilder};
#[cfg(feature = "nats")]
pub use nats::{NatsHistory, NatsHistoryBuilder, NatsStorage};
pub use outbox::{InvalidOutbox, Outbox};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresHistory, PostgresHistoryBuilder};
#[cfg(feature = "redis")]
pub use redis::{RedisHistory, RedisHistoryBuilder};
pub use retention::Retention;
pub use topic::{InvalidTopic, Pattern, Topic};
pub use topic_list::{IntoPatterns, IntoTopics};

/// The prefix reserved for the topics of signals between hubs.
pub(crate) const RESERVED_TOPICS: &str = "$sse.";

pub(crate) use engine::DynHistory;
pub(crate) use topic::scoped;
