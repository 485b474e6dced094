//! A subscription that has not been awaited: its settings, and how it begins.

pub(in crate::hub) mod query;
pub(in crate::hub) mod request;
pub(in crate::hub) mod settings;
#[allow(clippy::module_inception)] // The folder's main type.
pub(in crate::hub) mod subscribe;
pub(in crate::hub) mod subscribe_error;
