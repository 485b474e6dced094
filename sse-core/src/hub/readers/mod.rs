//! The connected readers.

pub(in crate::hub) mod commands;
pub(in crate::hub) mod holding;
pub(in crate::hub) mod reader;
pub(in crate::hub) mod registry;
