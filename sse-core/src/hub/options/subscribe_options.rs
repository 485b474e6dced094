use super::{admission::Admission, filter::EventFilter, lease::Lease, snapshot::Loader};
use crate::request::OriginPolicy;

/// The options of a subscription that has not begun.
#[derive(Default)]
pub(crate) struct SubscribeOptions {
    pub(crate) origins: Option<OriginPolicy>,
    pub(crate) lease: Option<Lease>,
    pub(crate) filter: EventFilter,
    pub(crate) admission: Admission,
    pub(crate) snapshot: Option<Loader>,
}
