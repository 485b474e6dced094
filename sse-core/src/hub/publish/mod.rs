//! The writers: publishers, runs and the tail of a history.

#[allow(clippy::module_inception)] // The folder's main type.
pub(in crate::hub) mod publish;
pub(in crate::hub) mod publisher;
pub(in crate::hub) mod run;
pub(in crate::hub) mod run_error;
pub(in crate::hub) mod runs;
pub(in crate::hub) mod tail;
