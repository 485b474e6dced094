use std::{error, fmt, future::Future, pin::Pin, sync::Arc};

use crate::hub::{
    EndReason, Subscribe, Subscription, control_events,
    publish::publish::publishable,
    subscription::holding::{Work, WorkKind},
};
use crate::{
    history::Pattern,
    resume::{Cursor, Gap},
    wire::Event,
};

/// How often in a row the state is loaded although the events that follow it are already evicted.
const MOST_LOADS: u8 = 3;

/// The request that a snapshot loader gets; see [`Subscribe::snapshot`].
#[derive(Debug, Clone)]
pub struct SnapshotRequest {
    topics: Vec<Pattern>,
    position: Cursor,
    gap: Option<Gap>,
}

impl SnapshotRequest {
    /// The topics and patterns that the reader reads, sorted.
    #[must_use]
    pub fn topics(&self) -> &[Pattern] {
        &self.topics
    }

    /// Returns the position up to which the state must include everything; the events after it follow.
    #[must_use]
    pub fn position(&self) -> Cursor {
        self.position
    }

    /// Returns the gap that makes the state necessary; `None` for a new reader or for new topics.
    #[must_use]
    pub fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
    }
}

/// The state of what a reader reads, as one event or several.
///
/// An [`Event`] or a `Vec` of them converts into one. The last event gets the state's cursor as its id.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    events: Vec<Event>,
    at: Option<Cursor>,
}

impl Snapshot {
    /// Creates a state from these events; no events mean that the state is empty.
    pub fn new<E: Into<Event>>(events: impl IntoIterator<Item = E>) -> Self {
        Self { events: events.into_iter().map(Into::into).collect(), at: None }
    }

    /// Sets the position of the state, if that is not [`SnapshotRequest::position`]: the cursor of the last
    /// event that the state includes. Store it together with the state;
    /// [`Receipt::cursor`](crate::hub::Receipt::cursor) returns it.
    ///
    /// Needed if an event must not be applied twice, such as a JSON patch. Without it, the state may already
    /// include events that are sent again after it.
    #[must_use]
    pub fn at(self, cursor: impl Into<Option<Cursor>>) -> Self {
        Self { at: cursor.into(), ..self }
    }
}

impl From<Event> for Snapshot {
    fn from(event: Event) -> Self {
        Self { events: vec![event], at: None }
    }
}

impl From<Vec<Event>> for Snapshot {
    fn from(events: Vec<Event>) -> Self {
        Self { events, at: None }
    }
}

type Error = Arc<dyn error::Error + Send + Sync>;
type Loading = Pin<Box<dyn Future<Output = Loaded> + Send>>;

/// The result of loading a state.
pub(in crate::hub) type Loaded = Result<Snapshot, Error>;

/// The function that loads the state, type-erased.
#[derive(Clone)]
pub(crate) struct Loader(Arc<dyn Fn(SnapshotRequest) -> Loading + Send + Sync>);

/// A reader's loader and its progress.
pub(crate) struct Snapshots {
    loader: Loader,
    /// The position of the last state sent, and how often in a row no event could follow it.
    loaded_at: Option<u64>,
    in_vain: u8,
}

impl Snapshots {
    pub(crate) fn new(loader: Loader) -> Self {
        Self { loader, loaded_at: None, in_vain: 0 }
    }
}

impl Subscription {
    /// Moves to the newest position and begins to load the state there; returns `false` if the reader gets no
    /// states.
    ///
    /// `gap` is sent first, without an id: until the state is sent, the reader's cursor must not move.
    pub(in crate::hub) fn begin_snapshot(&mut self, gap: Option<&Gap>) -> bool {
        let announced = self.announced;
        if self.snapshots().is_none() {
            return false;
        }
        let Some(position) = self.newest() else {
            // A fork may have removed the position; the check for it may begin the load.
            self.check_for_fork();
            return self.is_loading() || self.begin_snapshot(gap);
        };
        let Some(snapshots) = self.snapshots() else { return false };
        let is_in_vain = snapshots.loaded_at.is_some() && snapshots.loaded_at == announced;
        snapshots.in_vain = if is_in_vain { snapshots.in_vain + 1 } else { 0 };
        if snapshots.in_vain >= MOST_LOADS {
            tracing::error!("what follows the state is gone before it is told; keep more, or load faster");
            self.end(EndReason::Unavailable);
            return true;
        }
        self.move_to(position.seq());
        let gap = gap.map(|gap| Gap { resumed_at: position, ..gap.clone() });
        if let Some(gap) = &gap {
            self.queue_notice(control_events::gap(gap).without_id());
        }
        let request = SnapshotRequest { topics: self.feed.patterns.to_vec(), position, gap };
        let loading = self.snapshots().map(|Snapshots { loader: Loader(load), .. }| load(request));
        if let Some(loading) = loading {
            self.start_work(Work::Snapshot(loading));
        }
        true
    }

    /// Returns whether the state is being loaded.
    pub(in crate::hub) fn is_loading(&self) -> bool {
        self.work == Some(WorkKind::Snapshot)
    }

    pub(in crate::hub) fn take_snapshot(&mut self, loaded: Loaded) {
        if let Err(error) = loaded.and_then(|snapshot| self.tell_snapshot(snapshot)) {
            self.end(EndReason::Error(error));
        }
    }

    fn tell_snapshot(&mut self, snapshot: Snapshot) -> Result<(), Error> {
        let Snapshot { events, at } = snapshot;
        let cursor = match at {
            Some(at) => self.judged(at)?,
            None => match self.cursor_at(self.position) {
                Some(cursor) => cursor,
                None => {
                    // A fork may have removed the position of the state.
                    self.check_for_fork();
                    let _ = self.is_loading() || self.begin_snapshot(None);
                    return Ok(());
                }
            },
        };
        self.move_to(cursor.seq());
        let last = events.len();
        for (number, event) in (1..).zip(events) {
            let lines = publishable(event).map_err(|error| Arc::new(error) as Error)?;
            self.queue_notice(control_events::state(lines, (number == last).then_some(cursor)));
        }
        if last == 0 {
            self.queue_notice(control_events::checkpoint(cursor));
        }
        self.announced = Some(cursor.seq());
        if let Some(extras) = &mut self.extras {
            // Topics that were already finished at that position are known to be finished.
            extras.joined_at = Some(cursor.seq());
            if let Some(snapshots) = &mut extras.snapshots {
                snapshots.loaded_at = Some(cursor.seq());
            }
        }
        Ok(())
    }

    /// Returns the position that the state reports, if the events after it can follow.
    fn judged(&self, at: Cursor) -> Result<Cursor, Error> {
        let state = self.hub.window().lock();
        let is_known = match state.epochs.fork_after(at.epoch()) {
            None => false,
            Some(fork) => fork.is_none_or(|fork| at.seq() < fork),
        };
        // Another process may have published events that this one has not seen yet.
        let is_ahead = at.seq() > state.head() && self.hub.history().is_none();
        if is_known && !is_ahead { Ok(at) } else { Err(Arc::new(UnknownPosition(at))) }
    }

    /// Returns whether the reader gets states.
    pub(in crate::hub) fn has_snapshots(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.snapshots.is_some())
    }

    fn snapshots(&mut self) -> Option<&mut Snapshots> {
        self.extras.as_mut().and_then(|extras| extras.snapshots.as_mut())
    }
}

/// The error for a state whose position this hub does not have.
#[derive(Debug)]
struct UnknownPosition(Cursor);

impl fmt::Display for UnknownPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "snapshot: {} is no place of this hub's history; say where a publish's receipt stood",
            self.0
        )
    }
}

impl error::Error for UnknownPosition {}

impl Subscribe {
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
        let load = Arc::new(load);
        self.terms.snapshot = Some(Loader(Arc::new(move |request| {
            let load = Arc::clone(&load);
            // The whole loader runs where its result is awaited, so that a panic is caught there.
            Box::pin(
                async move { load(request).await.map(Into::into).map_err(|error| Arc::from(error.into())) },
            )
        })));
        self
    }
}
