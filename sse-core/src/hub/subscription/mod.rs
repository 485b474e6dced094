//! One reader: where it begins and what it gets next.

pub(in crate::hub) mod backfill;
pub(in crate::hub) mod commands;
pub(in crate::hub) mod extras;
pub(in crate::hub) mod frames;
pub(in crate::hub) mod gather;
#[cfg(feature = "compress")]
pub(in crate::hub) mod gzip;
pub(in crate::hub) mod handle;
pub(in crate::hub) mod holding;
pub(in crate::hub) mod notices;
pub(in crate::hub) mod place;
pub(in crate::hub) mod poll;
pub(in crate::hub) mod replay;
pub(in crate::hub) mod start;
pub(in crate::hub) mod subscribe;
#[allow(clippy::module_inception)] // The folder's main type.
pub(in crate::hub) mod subscription;
