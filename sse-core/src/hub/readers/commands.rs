//! What is known of a reader by name, and what it was told to do from outside.

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
use crate::hub::{Start, feeds::feed::Feed};

/// Of a reader that somebody has a handle of, or that was given a name, a limit or an exclusive place.
pub(crate) struct ReaderControl {
    pub(crate) id: u64,
    pub(crate) principal: Option<String>,
    /// The keys under which it counts, each once.
    pub(crate) counted: Box<[String]>,
    pub(crate) exclusive: Option<String>,
    state: Mutex<Commands>,
}

/// What the reader's task has not done yet.
#[derive(Default)]
pub(crate) struct Commands {
    /// What it reads now.
    pub(crate) feed: Option<Arc<Feed>>,
    /// Its task, if it was asked for something since this was made.
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

    /// Lets the reader's task be woken by itself, without those who read the same.
    pub(crate) fn arm(&self, waker: &Waker) {
        let mut state = self.lock();
        if !state.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
    }

    /// Wakes the reader's task; everyone who reads the same, if it alone cannot be found.
    pub(crate) fn wake(&self) {
        let (waker, feed) = {
            let state = self.lock();
            (state.waker.clone(), state.feed.clone())
        };
        match (waker, feed) {
            (Some(waker), _) => waker.wake(),
            (None, Some(feed)) => {
                let waiting = feed.lock().waiters.take();
                crate::waiters::wake(waiting);
            }
            (None, None) => {}
        }
    }
}

/// Cannot be guessed, and is no other reader's.
fn fresh_id() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static SECRET: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    SECRET.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}
