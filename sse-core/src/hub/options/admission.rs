use crate::hub::{Subscribe, SubscribeError};

/// The longest name of a principal, a limit or an exclusive place, in bytes.
const MAX_NAME: usize = 512;

/// What happens when a second reader asks for an exclusive place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Exclusive {
    /// It gets the place once it can read, and the first one ends, told to stay away for 30 to 60 minutes: two browsers that
    /// reconnect would otherwise take the place from each other in turns.
    #[default]
    TakeOver,
    /// It is refused until the first one has left.
    Reject,
}

impl Subscribe {
    /// Names whose reader this is, for [`ReaderHandle::principal`](crate::hub::ReaderHandle::principal) and lists of
    /// readers. It permits and limits nothing by itself. 1 to 512 bytes.
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

    /// Lets at most `max` readers with this key read at a time, such as those of a user or of an address; one more
    /// is refused with [`EndReason::Limit`](crate::hub::EndReason::Limit): it is told to come back, and
    /// [`Subscription::refusal`](crate::hub::Subscription::refusal) says so.
    ///
    /// It counts in this process, over all topics, under each key that is given (for one key the last call counts).
    /// A reader that was dropped because it did not read counts no longer. The key has 1 to 512 bytes.
    pub fn limit(mut self, key: impl Into<String>, max: usize) -> Self {
        self.terms.seat.limits.insert(key.into(), max);
        self
    }

    /// Lets one reader with this key read at a time, in this process; `choice` says who gives way to whom.
    ///
    /// The key has 1 to 512 bytes; the last of several calls counts.
    pub fn exclusive(mut self, key: impl Into<String>, choice: Exclusive) -> Self {
        self.terms.seat.exclusive = Some((key.into(), choice));
        self
    }

    /// Checks the names given.
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
