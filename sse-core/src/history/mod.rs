//! History: the stored events with their order and topics; and the engines that store them durably.

#[cfg(any(feature = "file", feature = "redis"))]
mod codec;
mod covers;
mod engine;
mod erased;
#[cfg(feature = "file")]
mod file;
mod foreign;
#[cfg(any(feature = "file", feature = "redis"))]
mod matcher;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
mod retention;
#[cfg(any(feature = "file", feature = "nats", feature = "redis"))]
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
#[cfg(feature = "redis")]
pub use redis::{RedisHistory, RedisHistoryBuilder};
pub use retention::Retention;
pub use topic::{InvalidTopic, Pattern, Topic};
pub use topic_list::{IntoPatterns, IntoTopics};

pub(crate) use erased::DynHistory;
pub(crate) use topic::{RESERVED_TOPICS, scoped};
