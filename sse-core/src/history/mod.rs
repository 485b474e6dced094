//! History: the stored events with their order and topics; and the engines that store them durably.

#[cfg(any(feature = "file", feature = "redis"))]
mod codec;
mod covers;
mod engine;
mod erased;
mod error;
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
mod record;
#[cfg(feature = "redis")]
mod redis;
pub(crate) mod retention;
#[cfg(any(feature = "file", feature = "nats", feature = "postgres", feature = "redis"))]
mod tail;
pub(crate) mod topic;
pub(crate) mod topic_list;
mod topic_parts;

pub use crate::resume::{Epoch, EpochRow, EpochTable};
pub use engine::History;
pub use error::{HistoryError, HistoryErrorKind};
#[cfg(feature = "file")]
pub use file::{FileHistory, FileHistoryBuilder};
#[cfg(feature = "nats")]
pub use nats::{NatsHistory, NatsHistoryBuilder, NatsStorage};
pub use outbox::{InvalidOutbox, Outbox};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresHistory, PostgresHistoryBuilder};
pub use record::{Appended, Entry, EntryKind, HistoryBounds, Record, SignalReceipt, TailEvent};
#[cfg(feature = "redis")]
pub use redis::{RedisHistory, RedisHistoryBuilder};

pub(crate) use erased::DynHistory;
pub(crate) use retention::Retention;
pub(crate) use topic::{InvalidTopic, Pattern, RESERVED_TOPICS, Topic, scoped};
pub(crate) use topic_list::{IntoPatterns, IntoTopics};
