//! Who is connected.

pub(in crate::hub) mod commands;
pub(in crate::hub) mod reader;
pub(in crate::hub) mod registry;
