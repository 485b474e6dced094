//! Which readers share bytes.

use std::sync::Arc;

use super::filter::EventFilter;
use crate::hub::Subscription;

#[cfg(test)]
mod tests;

/// Proof that a reader gets every event of its topics, so that it may get bytes that were made for other
/// readers.
///
/// Every shared part of a feed requires this proof, and only [`Subscription::access`] creates one.
#[derive(Clone, Copy)]
pub(crate) struct FullAccess(());

/// How a reader takes events from its feed.
pub(in crate::hub) enum Access {
    /// As chunks and blocks that are shared with the feed's other readers.
    Full(FullAccess),
    /// One by one; the reader's filter decides about each.
    Filtered(Arc<EventFilter>),
}

impl FullAccess {
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self(())
    }
}

impl Subscription {
    pub(in crate::hub) fn access(&self) -> Access {
        match self.extras.as_ref().and_then(|extras| extras.sieve.as_ref()) {
            None => Access::Full(FullAccess(())),
            Some(sieve) => Access::Filtered(Arc::clone(sieve)),
        }
    }

    /// Returns whether the reader decides about each event by itself.
    pub(in crate::hub) fn is_filtered(&self) -> bool {
        matches!(self.access(), Access::Filtered(_))
    }

    /// Returns the reader's filter; for a reader that gets all events, one that withholds nothing.
    pub(in crate::hub) fn sieve(&self) -> Arc<EventFilter> {
        match self.access() {
            Access::Full(_) => Arc::default(),
            Access::Filtered(sieve) => sieve,
        }
    }
}
