use std::sync::Arc;

use super::{
    failure,
    link::{Link, Linked},
    script::Scripts,
    settings::Settings,
};
use crate::history::HistoryError;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) link: Arc<Link>,
    pub(super) settings: Settings,
    pub(super) scripts: Scripts,
}

impl Shared {
    /// Returns the error for a failed query; a broken connection is replaced.
    pub(super) fn failed(&self, linked: &Linked, error: redis::RedisError) -> HistoryError {
        if failure::is_broken(&error) {
            self.link.broken(linked, &error);
        }
        failure::asking(error)
    }
}
