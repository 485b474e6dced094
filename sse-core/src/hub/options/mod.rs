//! What a reader may ask for.

pub(in crate::hub) mod admission;
pub(in crate::hub) mod event_view;
pub(in crate::hub) mod filter;
pub(in crate::hub) mod lease;
pub(in crate::hub) mod patterns;
pub(in crate::hub) mod permission;
pub(in crate::hub) mod snapshot;
pub(in crate::hub) mod start;
pub(in crate::hub) mod subscribe_options;
