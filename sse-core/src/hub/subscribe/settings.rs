//! The options of a [`Subscribe`].

use std::{error, future::Future, hash::Hash};

use super::subscribe::Subscribe;
use crate::hub::options::{
    admission::Exclusive,
    event_view::EventView,
    lease::Lease,
    snapshot::{Loader, Snapshot, SnapshotRequest},
};
use crate::request::OriginPolicy;

impl Subscribe {
    /// Refuses the reader with [`SubscribeError::UnknownTopic`](crate::hub::SubscribeError::UnknownTopic) if a
    /// topic is unknown: the window and the history keep no event of it, its end is not remembered, and this
    /// process has no [`Run`](crate::hub::Run) of it.
    ///
    /// For short-lived topics, such as the answer of a language model or a build. Without this check, a reader
    /// waits silently for ever if its topic never began, or if a hub in memory lost the topic when its process
    /// ended. The adapters answer 404 with `{"error":"…"}` before the first byte; an `EventSource` then stops
    /// for good with `readyState` 2, which the page can show. To answer otherwise, match the error.
    ///
    /// Each topic must be known; patterns are not checked. In doubt the reader is accepted: JetStream cannot
    /// rule out a topic while its stream holds an event of several topics. Runs of other processes are known
    /// once they have published an event: publish the first event of a run before you give out its address.
    ///
    /// ```
    /// use sse_core::{Hub, Start, Topic, error::SubscribeError};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let answer = Topic::from_parts(["answers", "42"])?;
    /// let refused = hub.subscribe(&answer).start(Start::Earliest).existing().await;
    /// assert_eq!(refused.err(), Some(SubscribeError::UnknownTopic(answer.clone())));
    ///
    /// let run = hub.start_run(&answer)?;
    /// assert!(hub.subscribe(&answer).start(Start::Earliest).existing().await.is_ok());
    /// # drop(run);
    /// # Ok(()) }
    /// ```
    pub fn existing(mut self) -> Self {
        self.existing = true;
        self
    }

    /// Refuses requests from origins that the policy does not allow, before anything is allocated, and lets
    /// pages of allowed origins read the response.
    ///
    /// Checks the [`request`](Subscribe::request). Without one the subscription is refused, because the origin is
    /// unknown.
    ///
    /// ```
    /// use sse_core::{Hub, SseRequest, Subscription, origin::OriginPolicy};
    ///
    /// async fn prices(hub: Hub, request: SseRequest) -> Result<Subscription, Box<dyn std::error::Error>> {
    ///     let policy = OriginPolicy::builder().origin("https://app.example.com").build()?;
    ///     Ok(hub.subscribe("prices").request(request).origins(&policy).await?)
    /// }
    /// ```
    pub fn origins(mut self, policy: &OriginPolicy) -> Self {
        self.options.origins = Some(policy.clone());
        self
    }

    /// Withholds each event for which `filter` returns `false`. The filter applies to replay from the window and
    /// the history, to live events, to signals and to the end of a topic (`sse.end`). If there are several
    /// filters, all must return `true`.
    ///
    /// A withheld event is skipped for good: checkpoints move the reader's cursor past it, and it does not come
    /// back when the filter's answer changes. The filter runs in the reader's task, for every event of the
    /// requested topics, so it should be fast and must not block. A filtered reader shares no bytes with others.
    /// Positions count in the whole hub, so a reader can infer how many events were published, but not their
    /// content.
    pub fn filter(mut self, filter: impl Fn(&EventView<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.options.filter.add(filter);
        self
    }

    /// Sends a reader that lags only the latest event of each key: when the reader takes more, a pending event
    /// is left out if a later one has the same key. Events without a key, signals and the end of a topic are all
    /// sent.
    ///
    /// A reader that keeps up gets everything. Order and cursor stay exact: an omitted event was replaced by a
    /// later one that is sent. From the history, at most 500 records or 64 KiB are compared at a time. A
    /// conflating reader shares no chunks with others. The last of several calls counts.
    ///
    /// ```
    /// use sse_core::{Event, Hub, Pattern};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let mut prices = hub.subscribe(Pattern::new("prices.*")?).conflate_by(|event| event.topics().first().cloned()).await?;
    /// for price in ["1.07", "1.08", "1.09"] {
    ///     hub.publish("prices.eur", Event::message(price)).await?;
    /// }
    /// assert!(prices.next().await.ok_or("ended")?.as_ref().starts_with(b"data: 1.09\n"));
    /// # Ok(()) }
    /// ```
    pub fn conflate_by<K, F>(mut self, key: F) -> Self
    where
        K: Hash + Eq + Send + 'static,
        F: Fn(&EventView<'_>) -> Option<K> + Send + Sync + 'static,
    {
        self.options.filter.conflate_by(key);
        self
    }

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
        self.options.admission.principal = Some(name.into());
        self
    }

    /// Limits the number of connected readers with this key to `max`, for example the readers of a user or an
    /// address. A further reader is refused with [`EndReason::Limit`](crate::hub::EndReason::Limit) and retries
    /// later; [`Subscription::refusal`](crate::hub::Subscription::refusal) returns the reason.
    ///
    /// The limit counts in this process, over all topics, under each given key (for one key the last call
    /// counts). A reader that was dropped because it did not read no longer counts. The key has 1 to 512 bytes.
    pub fn limit(mut self, key: impl Into<String>, max: usize) -> Self {
        self.options.admission.limits.insert(key.into(), max);
        self
    }

    /// Limits the connected readers with this key to one, in this process; `choice` decides which of two readers
    /// gives way.
    ///
    /// The key has 1 to 512 bytes; the last of several calls counts.
    pub fn exclusive(mut self, key: impl Into<String>, choice: Exclusive) -> Self {
        self.options.admission.exclusive = Some((key.into(), choice));
        self
    }

    /// Reads under this lease. When it is over, the stream ends before another byte is written, and the reader
    /// reconnects and is authorised again. With a lease that is already over, the stream reads nothing.
    ///
    /// The last of several calls counts.
    pub fn lease(mut self, lease: impl Into<Lease>) -> Self {
        self.options.lease = Some(lease.into());
        self
    }

    /// Sends a new reader the state first, and then the changes after it under one cursor. The state is also
    /// sent after a gap, so that the reader has no hole, and when a [`ReaderHandle`](crate::hub::ReaderHandle)
    /// changes the reader's topics. A reader that resumes exactly gets no state; [`start`](Subscribe::start) has
    /// no effect.
    ///
    /// The position is taken first, then `load` runs, so change the state before you publish the change. The
    /// state then includes everything up to the position, and perhaps events that are sent again after it. If
    /// that matters, set the position of the state with [`Snapshot::at`]. Until the whole state is sent, the
    /// reader's cursor does not move, so a reader whose connection breaks gets the state again. After a gap,
    /// `sse.gap` comes first, without an id.
    ///
    /// The reader's stream loads the state, after the stream's first bytes. An error is logged and ends the
    /// stream, with a `retry` of 30 s. Filters do not apply to the state: load only what the principal may see.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use sse_core::{Event, Hub, Snapshot};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let price = Arc::new(Mutex::new(100));
    /// let mut reader = hub
    ///     .subscribe("price")
    ///     .snapshot(move |_| {
    ///         let price = Arc::clone(&price);
    ///         async move {
    ///             let now = *price.lock().map_err(|_| "poisoned")?;
    ///             Ok::<_, &str>(Event::message(now.to_string()).event("state"))
    ///         }
    ///     })
    ///     .await?;
    /// hub.publish("price", Event::message("101")).await?;
    /// assert!(reader.next().await.ok_or("ended")?.as_ref().starts_with(b"data: 100\nevent: state\nid: "));
    /// assert!(reader.next().await.ok_or("ended")?.as_ref().starts_with(b"data: 101\nid: "));
    /// # Ok(()) }
    /// ```
    pub fn snapshot<F, L, S, E>(mut self, load: F) -> Self
    where
        F: Fn(SnapshotRequest) -> L + Send + Sync + 'static,
        L: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<Snapshot>,
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.options.snapshot = Some(Loader::new(load));
        self
    }
}
