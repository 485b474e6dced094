//! Stands in for `gzip.rs` in a build without compression: no reader takes blocks.

use super::{poll::NoEvents, subscription::Subscription};
use crate::hub::{feeds::chunk::Chunk, options::permission::FullAccess};

impl Subscription {
    pub(in crate::hub) fn shares_gzip(&self) -> bool {
        false
    }

    pub(in crate::hub) fn poll_gzip(&mut self, _: FullAccess) -> Option<Result<Chunk, NoEvents>> {
        None
    }

    pub(in crate::hub) fn leave_gzip(&mut self) {}
}
