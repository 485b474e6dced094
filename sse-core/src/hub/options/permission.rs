//! Which readers share bytes.

use std::sync::Arc;

use super::filter::EventFilter;

#[cfg(test)]
mod tests;

/// Proof that a reader gets every event of its topics, so that it may get bytes that were made for other
/// readers.
///
/// Every shared part of a feed requires this proof, and only [`Access::of`] creates one.
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

impl Access {
    /// Returns how a reader with this filter, or without one, takes events.
    pub(in crate::hub) fn of(filter: Option<&Arc<EventFilter>>) -> Self {
        match filter {
            None => Self::Full(FullAccess(())),
            Some(filter) => Self::Filtered(Arc::clone(filter)),
        }
    }
}
