use std::{sync::Arc, time::Duration};

use super::{connect::Session, failure::Failure, link::Link, listener::Wakes, schema::Schema};
use crate::history::{HistoryError, Retention, mark::Mark};

/// The data that the tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) link: Arc<Link>,
    pub(super) schema: Schema,
    pub(super) mark: Mark,
    pub(super) wakes: Arc<Wakes>,
    pub(super) retention: Retention,
    pub(super) key_memory: Duration,
}

impl Shared {
    /// Returns the error for a failed query; broken connections are replaced.
    pub(super) fn failed(&self, session: &Session, failure: Failure) -> HistoryError {
        self.check_broken(session, &failure);
        failure.asking()
    }

    /// Replaces the connections if they are unusable after this failure.
    pub(super) fn check_broken(&self, session: &Session, failure: &Failure) {
        if failure.is_broken() {
            self.link.broken(session.number, failure);
        }
    }
}
