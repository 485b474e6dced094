use std::collections::BTreeMap;

/// The maximum length in bytes of the name of a principal, a limit or an exclusive place.
const MAX_NAME: usize = 512;

/// What happens when a second reader asks for an exclusive place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Exclusive {
    /// The new reader gets the place once it can read. The first one ends with a `retry` of 30 to 60 minutes, so
    /// that two reconnecting browsers do not keep evicting each other.
    #[default]
    TakeOver,
    /// The new reader is refused until the first one has left.
    Reject,
}

/// The options of a subscription that limit or name its readers.
#[derive(Default)]
pub(crate) struct Admission {
    pub(crate) principal: Option<String>,
    /// The keys under which the reader counts, and the maximum for each.
    pub(crate) limits: BTreeMap<String, usize>,
    pub(crate) exclusive: Option<(String, Exclusive)>,
}

impl Admission {
    /// Returns whether every given name has an allowed length.
    pub(in crate::hub) fn has_valid_names(&self) -> bool {
        let exclusive = self.exclusive.as_ref().map(|(key, _)| key);
        let mut names = self.principal.iter().chain(self.limits.keys()).chain(exclusive);
        names.all(|name| !name.is_empty() && name.len() <= MAX_NAME)
    }
}
