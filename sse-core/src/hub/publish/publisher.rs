use std::{fmt, sync::Arc};

use super::publish::{Publish, PublishError, Target, What, exact, publishable};
use crate::{
    history::{DynHistory, Entry, EntryKind, History, IntoTopics, SignalReceipt},
    wire::Event,
};

/// A process that only publishes, such as a worker or a cron job: it has a history but no window and no readers.
#[derive(Clone)]
pub struct Publisher {
    history: DynHistory,
}

impl Publisher {
    /// Creates a publisher to this history.
    #[must_use]
    pub fn new(history: impl History) -> Self {
        Self { history: Arc::new(history) }
    }

    /// Publishes like [`Hub::publish`](crate::hub::Hub::publish); the receipt has no number of receivers.
    ///
    /// # Errors
    /// Awaiting it returns [`PublishError`].
    pub fn publish(&self, topics: impl IntoTopics, event: impl Into<Event>) -> Publish {
        Publish::new(self.target(), topics, What::Event(event.into()))
    }

    /// Finishes a topic like [`Hub::finish`](crate::hub::Hub::finish).
    ///
    /// # Errors
    /// Awaiting it returns [`PublishError`].
    pub fn finish(&self, topic: impl IntoTopics) -> Publish {
        Publish::new(self.target(), topic, What::Finish)
    }

    /// Sends a signal like [`Hub::signal`](crate::hub::Hub::signal), and waits until the engine has accepted it.
    ///
    /// # Errors
    /// [`PublishError`] if the signal is not valid, or the engine does not respond.
    pub async fn signal(
        &self,
        topics: impl IntoTopics,
        event: impl Into<Event>,
    ) -> Result<SignalReceipt, PublishError> {
        let topics = exact(topics)?;
        let lines = publishable(event.into())?;
        let entry = Entry { topics, kind: EntryKind::Event, lines: lines.into(), key: None };
        Ok(self.history.signal(entry).await?)
    }

    fn target(&self) -> Target {
        Target::History(Arc::clone(&self.history))
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}
