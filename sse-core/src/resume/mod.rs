//! Resume: cursors, the position in a request, and the decision that follows from both. Pure functions; time and
//! state are passed in.

mod accept;
mod cursor;
mod decision;
mod epochs;
#[cfg(feature = "json")]
mod gap_notice;
mod last_event_id;
mod origin;
mod origin_policy;

#[cfg(test)]
mod tests;

pub use cursor::{Cursor, Epoch, InvalidCursor};
pub use decision::{Gap, GapReason, Resume};
pub use epochs::{EpochRow, EpochTable};
pub use last_event_id::LastEventId;
pub use origin::{ForbiddenOrigin, InvalidOrigin};
pub use origin_policy::{Cors, OriginPolicy, OriginPolicyBuilder};

pub(crate) use accept::{Form, Negotiated};
pub(crate) use decision::{Decision, Known, decide};
pub(crate) use epochs::EpochsVersion;
pub(crate) use last_event_id::Requested;
pub(crate) use origin::RequestOrigin;
