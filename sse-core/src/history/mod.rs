//! History: what is kept, in which order, under which topics; and the trait of the engines that keep it durably.

mod engine;
mod topic;

pub use engine::{
    Appended, Change, Entry, EntryKind, History, HistoryError, HistoryErrorKind, Reach, Record, Span,
};
pub use topic::{IntoTopics, InvalidTopic, Pattern, Topic};

pub(crate) use engine::DynHistory;
