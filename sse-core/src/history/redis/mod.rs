//! A history in Redis Streams, for many processes.

mod answer;
mod append;
mod builder;
mod failure;
mod history;
mod link;
mod names;
mod read;
mod scan;
mod script;
mod settings;
mod shared;
mod tail;

pub use builder::RedisHistoryBuilder;
pub use history::RedisHistory;
