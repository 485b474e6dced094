//! One reader: where it begins and what it gets next.

pub(in crate::hub) mod begin;
pub(in crate::hub) mod catch_up;
pub(in crate::hub) mod commands;
pub(in crate::hub) mod cursor;
pub(in crate::hub) mod extras;
pub(in crate::hub) mod filtering;
pub(in crate::hub) mod frames;
#[cfg(feature = "compress")]
pub(in crate::hub) mod gzip;
pub(in crate::hub) mod handle;
#[cfg(not(feature = "compress"))]
pub(in crate::hub) mod no_gzip;
pub(in crate::hub) mod notices;
pub(in crate::hub) mod pending;
pub(in crate::hub) mod poll;
pub(in crate::hub) mod progress;
pub(in crate::hub) mod start;
#[allow(clippy::module_inception)] // The folder's main type.
pub(in crate::hub) mod subscription;
