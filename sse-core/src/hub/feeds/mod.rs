//! What the readers of the same topics share.

pub(in crate::hub) mod chunk;
pub(in crate::hub) mod feed;
#[allow(clippy::module_inception)] // The folder's main type.
pub(in crate::hub) mod feeds;
#[cfg(feature = "compress")]
pub(in crate::hub) mod gzip;
pub(in crate::hub) mod wildcards;
