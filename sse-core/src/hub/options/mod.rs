//! What a reader may ask for.

pub(in crate::hub) mod admission;
#[cfg(feature = "compress")]
pub(in crate::hub) mod compression;
pub(in crate::hub) mod event_view;
pub(in crate::hub) mod existing;
pub(in crate::hub) mod extras;
pub(in crate::hub) mod filter;
pub(in crate::hub) mod lease;
pub(in crate::hub) mod origins;
pub(in crate::hub) mod permission;
pub(in crate::hub) mod request;
pub(in crate::hub) mod snapshot;
