//! The body of a stream, and its parts, some of which other bodies use too.

mod body;
mod encoding;
mod end_conditions;
mod heartbeat;
mod meter;
mod options;
mod retry;
mod span;
mod summary;

pub use summary::StreamSummary;

pub(super) use body::StreamBody;
pub(super) use encoding::Encoding;
pub(super) use meter::Meter;
pub(super) use options::Options;
pub(super) use retry::jittered;
#[cfg(feature = "fallbacks")]
pub(super) use {end_conditions::EndConditions, meter::log_error, retry::Retry};
