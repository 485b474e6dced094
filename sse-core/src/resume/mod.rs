//! Resume: cursors, and the decision that follows from the one that a request names. Pure functions; time and state
//! are passed in.

mod cursor;
mod decision;
mod epochs;
#[cfg(feature = "json")]
mod gap_notice;

#[cfg(test)]
mod tests;

pub use cursor::{Cursor, Epoch, InvalidCursor};
pub use decision::{Gap, GapReason, Resume};
pub use epochs::{EpochRow, EpochTable};

pub(crate) use decision::{Decision, Known, Requested, decide};
pub(crate) use epochs::EpochsVersion;
