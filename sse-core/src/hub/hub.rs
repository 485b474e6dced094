use std::{fmt, sync::Arc};

#[cfg(doc)]
use super::subscribe::subscribe_error::SubscribeError;
use super::{
    builder::HubBuilder,
    publish::{
        publish::{Publish, PublishError, Receipt, Target, What, exact, publishable},
        run::{Run, single},
        run_error::RunError,
    },
    shared::Shared,
    stats::Stats,
    subscribe::subscribe::Subscribe,
    subscription::{handle::ReaderHandle, subscription::Subscription},
};
use crate::{
    Shutdown,
    history::{History, HistoryError, IntoPatterns, IntoTopics, InvalidTopic},
    panic::Panic,
    request::{Cors, Negotiated},
    wire::Event,
};

/// Fan-out: sends what is published to a topic to all its subscribers; a reader that was away resumes.
///
/// A handle, cheap to clone. See [`Hub::memory`] for a hub that lives in this process and [`Hub::open`] for one
/// whose history outlives the process.
///
/// ```
/// use sse_core::{Event, Hub, Pattern, Start};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::memory();
/// hub.publish("prices.eur", Event::message("1.08")).await?;
///
/// let mut prices = hub.subscribe(Pattern::new("prices.*")?).start(Start::Earliest).await?;
/// let frame = prices.next().await.ok_or("ended")?;
/// assert!(frame.as_ref().starts_with(b"data: 1.08\nid: "));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Hub {
    pub(in crate::hub) shared: Arc<Shared>,
}

impl Hub {
    /// Creates a hub that lives in this process: its events are lost when the process ends, and readers that
    /// come back then get a gap notice.
    #[must_use]
    pub fn memory() -> Self {
        Self::builder().memory()
    }

    /// Opens a hub over a history that outlives this process; must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`HistoryError`] if the history cannot be read.
    pub async fn open(history: impl History) -> Result<Self, HistoryError> {
        Self::builder().open(history).await
    }

    /// Returns a builder with options for a hub.
    pub fn builder() -> HubBuilder {
        HubBuilder::new()
    }

    /// Publishes an event to one or several topics; await the result, or give it a [`key`](Publish::key) first.
    ///
    /// A reader of several of the topics gets the event once. Resolves once the event is as durable as the
    /// history promises; with [`Hub::memory`], once it is stored in this process.
    ///
    /// # Errors
    /// Awaiting it returns [`PublishError`]: for an event that has an id of its own, no data or a type that
    /// begins with `sse.`, for a topic that is not valid or has wildcards, or if the history could not store the
    /// event.
    pub fn publish(&self, topics: impl IntoTopics, event: impl Into<Event>) -> Publish {
        Publish::new(Target::Hub(Arc::clone(&self.shared)), topics, What::Event(event.into()))
    }

    /// Sends an event, with no id and not stored, to the readers connected now; returns the number of readers in
    /// this process.
    ///
    /// Signals have no order relative to events, and may be lost: a reader that falls behind gets the last 64
    /// signals of its topics, and at most the last 256 KiB of these.
    ///
    /// # Errors
    /// [`PublishError`], as for `publish`; with a history also if 1,024 signals already wait to be sent.
    pub fn signal(&self, topics: impl IntoTopics, event: impl Into<Event>) -> Result<usize, PublishError> {
        let topics = exact(topics)?;
        let lines = publishable(event.into())?;
        Ok(self.shared.signal(topics, lines)?)
    }

    /// Finishes a topic: its readers get the remaining events and `sse.end`. A client that reconnects after that
    /// gets 204, which stops it. A later publish to the topic opens it again.
    ///
    /// # Errors
    /// Awaiting it returns [`PublishError`] for a topic that is not valid, for more than one topic, or if the
    /// history could not store the end.
    pub fn finish(&self, topic: impl IntoTopics) -> Publish {
        Publish::new(Target::Hub(Arc::clone(&self.shared)), topic, What::Finish)
    }

    /// Subscribes to one or several topics; choose where to begin, then await it.
    ///
    /// Text is a literal topic; text with a wildcard is refused. To subscribe with wildcards, use a
    /// [`Pattern`](crate::Pattern). To make topics from untrusted names, use
    /// [`Topic::from_parts`](crate::Topic::from_parts).
    ///
    /// # Errors
    /// Awaiting it returns [`SubscribeError`], only for mistakes of the caller.
    pub fn subscribe(&self, topics: impl IntoPatterns) -> Subscribe {
        Subscribe::new(Arc::clone(&self.shared), topics)
    }

    /// Ends the readers of these topics in this process, including those with matching wildcards; they reconnect
    /// and resume. Returns the number of readers.
    ///
    /// # Errors
    /// [`InvalidTopic`] if a topic is not valid or has wildcards.
    pub fn disconnect(&self, topics: impl IntoTopics) -> Result<usize, InvalidTopic> {
        Ok(self.shared.disconnect(&exact(topics)?))
    }

    /// Returns the readers of these topics in this process, including those with matching wildcards, the oldest
    /// first.
    ///
    /// # Errors
    /// [`InvalidTopic`] if a topic is not valid or has wildcards.
    pub fn readers(&self, topics: impl IntoTopics) -> Result<Vec<ReaderHandle>, InvalidTopic> {
        let topics = exact(topics)?;
        let feeds = self.shared.window().lock().feeds_of(&topics);
        let mut handles = Vec::new();
        for feed in feeds {
            let readers = feed.lock().readers.clone();
            handles.extend(readers.into_iter().map(|reader| ReaderHandle::of(&self.shared, reader, &feed)));
        }
        handles.sort_by_key(ReaderHandle::began_at);
        Ok(handles)
    }

    /// Returns the reader with this [`id`](ReaderHandle::id), while it is connected to this process.
    #[must_use]
    pub fn reader(&self, id: &str) -> Option<ReaderHandle> {
        ReaderHandle::find(&self.shared, id)
    }

    /// Begins a run: a topic whose producer outlives its readers, and that ends with the producer.
    ///
    /// A run that is over may begin again. Readers with [`Start::Earliest`](crate::hub::Start::Earliest) then
    /// get both, with the end of the first between them, so prefer a separate topic for each run.
    ///
    /// # Errors
    /// [`RunError::Running`] if this process already runs the topic: let the caller subscribe to it instead.
    /// [`RunError::Publish`] for a topic that is not valid.
    pub fn start_run(&self, topic: impl IntoTopics) -> Result<Run, RunError> {
        self.shared.start_run(single(topic).map_err(PublishError::from)?)
    }

    /// Asks the producer of a run to stop, in any process that shares the history; returns whether the run is in
    /// this process.
    ///
    /// This alone ends nothing: the producer is notified by [`Run::stopped`] and then finishes. Between
    /// processes the request is a signal, which may be lost when an engine fails over: call this again while the
    /// run continues.
    ///
    /// # Errors
    /// [`PublishError`] for a topic that is not valid, or if the history does not respond.
    pub async fn stop_run(&self, topic: impl IntoTopics) -> Result<bool, PublishError> {
        self.shared.stop_run(&single(topic)?).await
    }

    /// Finishes the topic of a run whose process was killed, so that its readers get `sse.end` with
    /// `"abandoned":true` in its data instead of silence. Returns `None`, and does nothing, if the topic is
    /// already finished.
    ///
    /// A [`Run`](crate::hub::Run) that is dropped abandons its topic by itself. When a process is back, call
    /// this method for each run that your database lists as begun by that process and not as done; see
    /// [runs](crate::docs::runs).
    ///
    /// # Errors
    /// [`RunError::Running`] for a run of this process: drop or finish it. [`RunError::Publish`] for a topic
    /// that is not valid, or if the history does not respond.
    pub async fn abandon(&self, topic: impl IntoTopics) -> Result<Option<Receipt>, RunError> {
        self.shared.abandon(single(topic).map_err(PublishError::from)?).await
    }

    /// Returns counts of what the hub has done, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Returns the handle that ends the hub's streams, if one was set.
    #[must_use]
    pub fn shutdown(&self) -> Option<&Shutdown> {
        self.shared.shutdown()
    }

    /// Returns a reader for which the application failed, before it began.
    pub(crate) fn failed(&self, panic: Panic, negotiated: Negotiated, cors: Cors) -> Subscription {
        Subscription::failed(Arc::clone(&self.shared), panic, negotiated, cors)
    }
}

impl HubBuilder {
    /// Builds a hub that lives in this process.
    #[must_use]
    pub fn memory(self) -> Hub {
        Hub { shared: self.share() }
    }

    /// Opens a hub over a history; must be called within a Tokio runtime.
    ///
    /// Returns when the window holds the newest records of the history, or after 10 s.
    ///
    /// # Errors
    /// [`HistoryError`] if the history cannot be read.
    pub async fn open(self, history: impl History) -> Result<Hub, HistoryError> {
        Ok(Hub { shared: self.share_over(history).await? })
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("head", &self.shared.window().head()).finish_non_exhaustive()
    }
}
