use crate::hub::{Subscribe, SubscribeError};

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

impl Subscribe {
    /// Names the owner of this reader, for [`ReaderHandle::principal`](crate::hub::ReaderHandle::principal) and
    /// lists of readers. The name alone grants and limits nothing. 1 to 512 bytes.
    ///
    /// ```
    /// use sse_core::Hub;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let _reader = hub.subscribe("orders").principal("ann").limit("user ann", 5).await?;
    /// let readers = hub.readers("orders")?;
    /// assert_eq!(readers.first().and_then(|reader| reader.principal()), Some("ann"));
    /// # Ok(()) }
    /// ```
    pub fn principal(mut self, name: impl Into<String>) -> Self {
        self.terms.seat.principal = Some(name.into());
        self
    }

    /// Limits the number of connected readers with this key to `max`, for example the readers of a user or an
    /// address. A further reader is refused with [`EndReason::Limit`](crate::hub::EndReason::Limit) and retries
    /// later; [`Subscription::refusal`](crate::hub::Subscription::refusal) returns the reason.
    ///
    /// The limit counts in this process, over all topics, under each given key (for one key the last call
    /// counts). A reader that was dropped because it did not read no longer counts. The key has 1 to 512 bytes.
    pub fn limit(mut self, key: impl Into<String>, max: usize) -> Self {
        self.terms.seat.limits.insert(key.into(), max);
        self
    }

    /// Limits the connected readers with this key to one, in this process; `choice` decides which of two readers
    /// gives way.
    ///
    /// The key has 1 to 512 bytes; the last of several calls counts.
    pub fn exclusive(mut self, key: impl Into<String>, choice: Exclusive) -> Self {
        self.terms.seat.exclusive = Some((key.into(), choice));
        self
    }

    /// Checks the given names.
    pub(in crate::hub) fn check_names(&self) -> Result<(), SubscribeError> {
        let seat = &self.terms.seat;
        let exclusive = seat.exclusive.as_ref().map(|(key, _)| key);
        let mut names = seat.principal.iter().chain(seat.limits.keys()).chain(exclusive);
        if names.any(|name| name.is_empty() || name.len() > MAX_NAME) {
            return Err(SubscribeError::Name);
        }
        Ok(())
    }
}
