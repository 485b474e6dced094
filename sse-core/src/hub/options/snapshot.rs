use std::{error, future::Future, pin::Pin, sync::Arc};

#[cfg(doc)]
use crate::hub::Subscribe;
use crate::{
    history::Pattern,
    resume::{Cursor, Gap},
    wire::Event,
};

/// The request that a snapshot loader gets; see [`Subscribe::snapshot`].
#[derive(Debug, Clone)]
pub struct SnapshotRequest {
    topics: Vec<Pattern>,
    position: Cursor,
    gap: Option<Gap>,
}

impl SnapshotRequest {
    pub(in crate::hub) fn new(topics: Vec<Pattern>, position: Cursor, gap: Option<Gap>) -> Self {
        Self { topics, position, gap }
    }

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

    /// Returns the events, and the position if it was set.
    pub(in crate::hub) fn into_parts(self) -> (Vec<Event>, Option<Cursor>) {
        (self.events, self.at)
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

pub(in crate::hub) type Error = Arc<dyn error::Error + Send + Sync>;
pub(in crate::hub) type Loading = Pin<Box<dyn Future<Output = Loaded> + Send>>;

/// The result of loading a state.
pub(in crate::hub) type Loaded = Result<Snapshot, Error>;

/// The function that loads the state, type-erased.
#[derive(Clone)]
pub(crate) struct Loader(Arc<dyn Fn(SnapshotRequest) -> Loading + Send + Sync>);

impl Loader {
    pub(in crate::hub) fn load(&self, request: SnapshotRequest) -> Loading {
        let Self(load) = self;
        load(request)
    }

    pub(in crate::hub) fn new<F, L, S, E>(load: F) -> Self
    where
        F: Fn(SnapshotRequest) -> L + Send + Sync + 'static,
        L: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<Snapshot>,
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let load = Arc::new(load);
        Self(Arc::new(move |request| {
            let load = Arc::clone(&load);
            // The whole loader runs where its result is awaited, so that a panic is caught there.
            Box::pin(
                async move { load(request).await.map(Into::into).map_err(|error| Arc::from(error.into())) },
            )
        }))
    }
}

/// A reader's loader and its progress.
pub(crate) struct Snapshots {
    pub(in crate::hub) loader: Loader,
    /// The position of the last state sent, and how often in a row no event could follow it.
    pub(in crate::hub) loaded_at: Option<u64>,
    pub(in crate::hub) reloads: u8,
}

impl Snapshots {
    pub(in crate::hub) fn new(loader: Loader) -> Self {
        Self { loader, loaded_at: None, reloads: 0 }
    }
}
