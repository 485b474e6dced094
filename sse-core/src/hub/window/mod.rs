//! The stored frames, by topic, and their eviction.

pub(in crate::hub) mod append;
pub(in crate::hub) mod attach;
pub(in crate::hub) mod dedup;
pub(in crate::hub) mod evict;
pub(in crate::hub) mod forgotten;
pub(in crate::hub) mod fork;
pub(in crate::hub) mod merge;
pub(in crate::hub) mod order;
pub(in crate::hub) mod ring;
pub(in crate::hub) mod state;
pub(in crate::hub) mod survey;
pub(in crate::hub) mod tagged;
pub(in crate::hub) mod topic_feeds;
pub(in crate::hub) mod topics;
pub(in crate::hub) mod totals;
#[allow(clippy::module_inception)] // The folder's main type.
pub(in crate::hub) mod window;
