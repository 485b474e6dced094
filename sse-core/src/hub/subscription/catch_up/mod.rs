//! Events from before: replay from the history, state before the cursor, snapshots.

pub(in crate::hub) mod backfill;
pub(in crate::hub) mod fall_back;
pub(in crate::hub) mod gather;
pub(in crate::hub) mod replay;
pub(in crate::hub) mod snapshots;
