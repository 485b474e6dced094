use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::task::{Context, Waker};

/// Makes a client drop its connection and open a new one; from
/// [`EventSource::interrupt`](super::EventSource::interrupt).
///
/// Cheap to clone, and usable from any task or thread.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_asked: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Interrupt {
    /// Drops the connection, if there is one, and opens a new one at once; also ends a wait between two
    /// connections.
    ///
    /// Nothing is lost: the new request has the id of the last event handed out. A request that must not be
    /// repeated, such as a POST, ends instead.
    pub fn interrupt(&self) {
        self.shared.is_asked.store(true, Ordering::Release);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns `true` if an interruption was requested since the last call; otherwise the task is woken when
    /// one is.
    pub(super) fn poll_asked(&self, cx: &Context<'_>) -> bool {
        {
            let mut waker = self.waker();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        self.shared.is_asked.swap(false, Ordering::Acquire)
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.shared.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
