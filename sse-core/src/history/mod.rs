//! History: the stored events with their order and topics; and the engines that store them durably.

#[cfg(any(feature = "file", feature = "redis"))]
mod codec;
mod covers;
mod engine;
#[cfg(feature = "file")]
mod file;
mod foreign;
#[cfg(any(feature = "file", feature = "redis"))]
mod matcher;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
pub(crate) mod retention;
#[cfg(any(feature = "file", feature = "nats", feature = "redis"))]
mod tail;
pub(crate) mod topic;
pub(crate) mod topic_list;
mod topic_parts;

pub use crate::resume::{Epoch, EpochRow, EpochTable};
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

/// The prefix reserved for the topics of signals between hubs.
pub(crate) const RESERVED_TOPICS: &str = "$sse.";

pub(crate) use engine::DynHistory;
pub(crate) use retention::Retention;
pub(crate) use topic::{InvalidTopic, Pattern, Topic, scoped};
pub(crate) use topic_list::{IntoPatterns, IntoTopics};
