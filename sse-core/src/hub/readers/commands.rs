//! The data of a reader that can be found by name, and the commands sent to it.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use crate::history::Pattern;
use crate::hub::options::start::Start;

/// The data of a reader that has a handle, or that was given a name, a limit or an exclusive place.
pub(crate) struct ReaderControl {
    pub(crate) id: u64,
    pub(crate) principal: Option<String>,
    /// The keys under which the reader counts, without duplicates.
    pub(crate) counted: Box<[String]>,
    pub(crate) exclusive: Option<String>,
    state: Mutex<Commands>,
}

/// What a handle needs of the feed that its reader reads.
pub(crate) trait ReaderFeed: Send + Sync {
    fn patterns(&self) -> &[Pattern];

    /// Returns how many events after `position` the window holds; an event of several topics counts once for
    /// each of them.
    fn count_after(&self, position: u64) -> usize;

    /// Wakes all waiting readers of the feed.
    fn wake_readers(&self);
}

/// The commands that the reader's task has not run yet.
#[derive(Default)]
pub(crate) struct Commands {
    /// The feed that the reader reads now.
    pub(crate) feed: Option<Arc<dyn ReaderFeed>>,
    /// The waker of the reader's task, if the task was polled since the control was created.
    waker: Option<Waker>,
    pub(crate) retry: Option<Duration>,
    pub(crate) topics: Option<Box<[Pattern]>>,
    pub(crate) also: Vec<(Vec<Pattern>, Start)>,
}

impl ReaderControl {
    pub(crate) fn new(principal: Option<String>, counted: Box<[String]>, exclusive: Option<String>) -> Self {
        Self { id: fresh_id(), principal, counted, exclusive, state: Mutex::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Commands> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the reader's task be woken alone, without the other readers of the same feed.
    pub(crate) fn arm(&self, waker: &Waker) {
        let mut state = self.lock();
        if !state.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
    }

    /// Wakes the reader's task; if its waker is unknown, wakes all readers of the same feed.
    pub(crate) fn wake(&self) {
        let (waker, feed) = {
            let state = self.lock();
            (state.waker.clone(), state.feed.clone())
        };
        match (waker, feed) {
            (Some(waker), _) => waker.wake(),
            (None, Some(feed)) => feed.wake_readers(),
            (None, None) => {}
        }
    }
}

/// Returns an id that is unique to the reader and cannot be guessed.
fn fresh_id() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static SECRET: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    SECRET.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}
