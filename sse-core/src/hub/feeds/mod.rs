//! What the readers of the same topics share.

pub(in crate::hub) mod backfill;
pub(in crate::hub) mod backlog;
pub(in crate::hub) mod candidates;
pub(in crate::hub) mod chunk;
pub(in crate::hub) mod feed;
#[allow(clippy::module_inception)] // The folder's main type.
pub(in crate::hub) mod feeds;
pub(in crate::hub) mod gathering;
#[cfg(feature = "compress")]
pub(in crate::hub) mod gzip;
#[cfg(not(feature = "compress"))]
#[path = "no_gzip.rs"]
pub(in crate::hub) mod gzip;
pub(in crate::hub) mod wildcards;
