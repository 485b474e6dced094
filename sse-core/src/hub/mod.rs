//! The hub: fan-out of events to readers, from a window of recent frames over an optional history.

mod builder;
mod control_events;
mod end;
mod feeds;
mod options;
mod publish;
mod readers;
mod replay_limits;
mod stats;
mod subscription;
mod sweep;
mod window;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};

pub use builder::HubBuilder;
pub use end::EndReason;
pub use options::admission::Exclusive;
pub use options::event_view::EventView;
pub use options::lease::Lease;
pub use options::snapshot::{Snapshot, SnapshotRequest};
pub use publish::publish::{Publish, PublishError, Receipt};
pub use publish::publisher::Publisher;
pub use publish::run::{Run, RunError};
pub use stats::Stats;
pub use subscription::handle::ReaderHandle;
pub use subscription::subscribe::{Start, Subscribe, SubscribeError};
pub use subscription::subscription::Subscription;

pub(crate) use control_events::{gap_json, json_string};
pub(crate) use feeds::chunk::Chunk;
pub(crate) use subscription::poll::MOST;

use crate::{
    Shutdown,
    history::{
        DynHistory, Entry, EntryKind, History, HistoryError, HistoryErrorKind, IntoPatterns, IntoTopics,
        InvalidTopic,
    },
    resume::EpochTable,
    wire::{Event, Frame},
};
use publish::publish::{Target, What, exact, publishable};
use publish::run::Runs;
use readers::registry::Registry;
use replay_limits::ReplayLimits;
use window::window::Window;

/// The maximum number of signals waiting to be sent to the history.
const SIGNALS: usize = 1_024;

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
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    window: Window,
    history: Option<DynHistory>,
    signals: Option<mpsc::Sender<Entry>>,
    restart_tail: Arc<Notify>,
    shutdown: Option<Shutdown>,
    max_topics: usize,
    registry: Registry,
    pace: ReplayLimits,
    runs: Runs,
    stalled_after: Duration,
    /// Milliseconds since the start, updated at each sweep: reading it costs nothing.
    clock: AtomicU64,
    sweeper: Mutex<Option<JoinHandle<()>>>,
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
        Publish::new(Target::Hub(self.clone()), topics, What::Event(event.into()))
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
        let mut lines = publishable(event.into())?;
        let Some(signals) = &self.shared.signals else {
            lines.push(b'\n');
            return Ok(self.window().signal(&topics, &Frame::block(lines)));
        };
        let receivers = self.window().readers_of(&topics);
        let entry = Entry { topics, kind: EntryKind::Event, lines: lines.into(), key: None };
        signals.try_send(entry).map_err(|_| {
            let message = format!("{SIGNALS} signals are on their way already; send fewer");
            HistoryError::new(HistoryErrorKind::Unavailable, message)
        })?;
        Ok(receivers)
    }

    /// Finishes a topic: its readers get the remaining events and `sse.end`. A client that reconnects after that
    /// gets 204, which stops it. A later publish to the topic opens it again.
    ///
    /// # Errors
    /// Awaiting it returns [`PublishError`] for a topic that is not valid, for more than one topic, or if the
    /// history could not store the end.
    pub fn finish(&self, topic: impl IntoTopics) -> Publish {
        Publish::new(Target::Hub(self.clone()), topic, What::Finish)
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
        Subscribe::new(self.clone(), topics)
    }

    /// Ends the readers of these topics in this process, including those with matching wildcards; they reconnect
    /// and resume. Returns the number of readers.
    ///
    /// # Errors
    /// [`InvalidTopic`] if a topic is not valid or has wildcards.
    pub fn disconnect(&self, topics: impl IntoTopics) -> Result<usize, InvalidTopic> {
        let topics = exact(topics)?;
        let feeds = self.window().lock().feeds_of(&topics);
        let mut ended = 0;
        for feed in feeds {
            let waiting = {
                let mut feed = feed.lock();
                ended += feed.readers.len();
                feed.readers.iter().for_each(|reader| reader.end(readers::reader::Closed::Disconnect));
                feed.waiters.take()
            };
            crate::waiters::wake(waiting);
        }
        Ok(ended)
    }

    /// Returns counts of what the hub has done, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let window = self.window();
        let (head, totals) = {
            let state = window.lock();
            (state.cursor_at(state.head()), state.totals())
        };
        let mut stats = Stats {
            head,
            readers: std::collections::BTreeMap::new(),
            topics: totals.topics,
            window_bytes: totals.bytes,
            memory_bytes: totals.cost(),
            shared_bytes: 0,
            published: window.counters.published.load(Ordering::Relaxed),
            gaps: window.counters.gaps(),
            stalled: window.counters.stalled.load(Ordering::Relaxed),
            held_bytes: window.counters.held.load(Ordering::Relaxed),
        };
        for feed in window.feeds() {
            let readers = {
                let inner = feed.lock();
                stats.shared_bytes += inner.kept_bytes();
                inner.readers.len()
            };
            for pattern in &feed.patterns {
                *stats.readers.entry(pattern.as_str().to_owned()).or_default() += readers;
            }
        }
        stats.readers.retain(|_, readers| *readers > 0);
        stats
    }

    /// Returns the handle that ends the hub's streams, if one was set.
    #[must_use]
    pub fn shutdown(&self) -> Option<&Shutdown> {
        self.shared.shutdown.as_ref()
    }

    pub(crate) fn window(&self) -> &Window {
        &self.shared.window
    }

    pub(crate) fn history(&self) -> Option<&DynHistory> {
        self.shared.history.as_ref()
    }

    pub(crate) fn max_topics(&self) -> usize {
        self.shared.max_topics
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    pub(crate) fn pace(&self) -> &ReplayLimits {
        &self.shared.pace
    }

    pub(crate) fn clock(&self) -> u64 {
        self.shared.clock.load(Ordering::Relaxed)
    }

    /// Merges the part of the history's epoch table that this process's tail has not reported yet, and lets the
    /// tail begin again there. `epochs` becomes the table of this process: it may have rows that the history has
    /// lost.
    ///
    /// Returns the number of rows in that table.
    pub(crate) fn merge_epochs(&self, epochs: &mut EpochTable) -> usize {
        let learned = self.window().learn(epochs);
        if learned.is_news {
            self.shared.restart_tail.notify_one();
        }
        *epochs = learned.known;
        epochs.rows().len()
    }

    /// Keeps the sweeper running. It needs a runtime, and every reader has one.
    pub(crate) fn ensure_sweeper(&self) {
        let mut sweeper = self.shared.sweeper.lock().unwrap_or_else(PoisonError::into_inner);
        if sweeper.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tick =
                (self.shared.stalled_after / 8).clamp(Duration::from_millis(10), Duration::from_secs(1));
            *sweeper = Some(runtime.spawn(sweep::sweep(Arc::downgrade(&self.shared), tick)));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // So that the tail releases the history at once.
        self.restart_tail.notify_one();
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("head", &self.window().head()).finish_non_exhaustive()
    }
}
