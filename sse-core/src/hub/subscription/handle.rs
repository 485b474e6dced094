use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::subscription::Subscription;
#[cfg(doc)]
use crate::hub::Hub;
use crate::hub::options::patterns::checked;
use crate::hub::{
    feeds::feed::Feed,
    options::start::Start,
    readers::commands::{Commands, ReaderControl, ReaderFeed},
    readers::reader::{Closed, Reader},
    shared::Shared,
};
use crate::{
    history::{IntoPatterns, InvalidTopic, Pattern},
    wire::{jittered, limited},
};

/// A handle to one reader of this process: inspects it, ends it, or changes its topics while it reads.
///
/// From [`Subscription::handle`], [`Hub::readers`] or, by its id, [`Hub::reader`]. Cheap to clone. A handle does
/// not keep the reader connected, and does nothing once the reader has left.
///
/// ```
/// use sse_core::{Event, Hub};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::memory();
/// let mut reader = hub.subscribe("page.1").await?;
/// let id = reader.handle().id();
///
/// // In a control endpoint, after asking who may change it:
/// hub.reader(&id).ok_or("it has left")?.set_topics(["page.2"])?;
/// hub.publish("page.2", Event::message("hello")).await?;
/// assert!(reader.next().await.ok_or("ended")?.as_ref().starts_with(b"data: hello\n"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ReaderHandle {
    hub: Arc<Shared>,
    reader: Arc<Reader>,
    control: Arc<ReaderControl>,
}

impl ReaderHandle {
    fn new(hub: &Arc<Shared>, reader: Arc<Reader>) -> Self {
        let control = hub.registry().control_of(&reader);
        Self { hub: Arc::clone(hub), reader, control }
    }

    /// Returns a handle to a reader of this feed.
    pub(in crate::hub) fn of(hub: &Arc<Shared>, reader: Arc<Reader>, feed: &Arc<Feed>) -> Self {
        let handle = Self::new(hub, reader);
        let known = || Arc::clone(feed) as Arc<dyn ReaderFeed>;
        handle.control.lock().feed.get_or_insert_with(known);
        handle
    }

    /// Returns a handle to the reader with this id.
    pub(in crate::hub) fn find(hub: &Arc<Shared>, id: &str) -> Option<Self> {
        let reader = hub.registry().find(u64::from_str_radix(id, 16).ok()?)?;
        Some(Self::new(hub, reader)).filter(|handle| handle.id() == id)
    }

    /// Returns an opaque, unguessable id for [`Hub::reader`], unique while the reader is connected.
    ///
    /// The id is not a credential: authorise the caller before you act on it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:016x}", self.control.id)
    }

    /// Returns the owner of the reader, as set by [`Subscribe::principal`](crate::hub::Subscribe::principal).
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        self.control.principal.as_deref()
    }

    /// Returns when the reader subscribed, by the clock that only goes forward.
    pub(in crate::hub) fn began_at(&self) -> Instant {
        self.reader.since
    }

    /// Returns when the reader subscribed.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        let now = SystemTime::now();
        now.checked_sub(self.reader.since.elapsed()).unwrap_or(now)
    }

    /// Returns the topics and patterns that the reader reads, sorted.
    #[must_use]
    pub fn topics(&self) -> Vec<Pattern> {
        let commands = self.control.lock();
        commands.wanted().to_vec()
    }

    /// Returns how many events the reader is behind, among those that the window holds; an event of several
    /// topics counts once for each of them.
    #[must_use]
    pub fn lag(&self) -> usize {
        let Some(feed) = self.control.lock().feed.clone() else { return 0 };
        feed.count_after(self.reader.position())
    }

    /// Returns whether the reader is still connected.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.reader.is_counted.load(Ordering::Acquire) && self.reader.ended().is_none()
    }

    /// Ends the reader with [`EndReason::Disconnected`](crate::hub::EndReason::Disconnected): it gets a `retry`,
    /// and resumes.
    ///
    /// To keep the client away, let the handler answer its next request with 204, or end its
    /// [`Lease`](crate::hub::Lease) and refuse it then.
    pub fn close(&self) {
        self.reader.end(Closed::Disconnect);
        self.control.wake();
    }

    /// Sends a new `retry` now and uses it for the rest of the connection, jittered between `delay` and twice
    /// `delay` to spread reconnects, but never more than 1 h.
    ///
    /// `delay` is clamped as by [`Event::retry`](crate::Event::retry): to at least 500 ms and at most 1 h.
    #[track_caller]
    pub fn retry(&self, delay: Duration) {
        let delay = jittered(limited(delay));
        self.send_commands(|commands| commands.retry = Some(delay));
    }

    /// Replaces the reader's topics, from its present position on and without a reconnect.
    ///
    /// The same lease, filter and limits apply. Earlier events of an added topic are not sent;
    /// [`add_topics`](ReaderHandle::add_topics) sends them. The client does not know of the change: when it reconnects it
    /// asks for the topics in its request, so let the handler remember the new ones, or let the client ask for
    /// them.
    ///
    /// # Errors
    /// [`InvalidTopic`] if a topic is not valid, the list is empty, or it has more topics than the hub allows.
    pub fn set_topics(&self, topics: impl IntoPatterns) -> Result<(), InvalidTopic> {
        let topics = checked(topics.into_patterns()?, self.hub.max_topics())?;
        self.send_commands(|commands| {
            commands.topics = Some(topics);
            commands.also.clear();
        });
        Ok(())
    }

    /// Adds topics with their earlier state, which comes first and without ids; see
    /// [`Subscribe::backfill`](crate::hub::Subscribe::backfill).
    ///
    /// # Errors
    /// As [`set_topics`](ReaderHandle::set_topics), for all topics of the reader together.
    pub fn add_topics(&self, topics: impl IntoPatterns, start: Start) -> Result<(), InvalidTopic> {
        let added = topics.into_patterns()?;
        let wanted = {
            let commands = self.control.lock();
            [commands.wanted(), &added].concat()
        };
        let wanted = checked(wanted, self.hub.max_topics())?;
        self.send_commands(|commands| {
            commands.topics = Some(wanted);
            commands.also.push((added, start));
        });
        Ok(())
    }

    fn send_commands(&self, give: impl FnOnce(&mut Commands)) {
        give(&mut self.control.lock());
        self.reader.mark_commands();
        self.control.wake();
    }
}

impl Commands {
    /// Returns the topics that the reader reads, or will read when it has run its commands.
    fn wanted(&self) -> &[Pattern] {
        match (&self.topics, &self.feed) {
            (Some(topics), _) => topics,
            (None, Some(feed)) => feed.patterns(),
            (None, None) => &[],
        }
    }
}

impl Subscription {
    /// Returns a handle to this reader, to keep while it reads.
    #[must_use]
    pub fn handle(&self) -> ReaderHandle {
        ReaderHandle::of(&self.hub, Arc::clone(&self.reader), &self.feed)
    }
}

impl fmt::Debug for ReaderHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderHandle")
            .field("id", &self.id())
            .field("principal", &self.principal())
            .field("topics", &self.topics())
            .finish_non_exhaustive()
    }
}
