use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Instant;

use crate::waiters::{Slot, Waiters, wake};

/// How long after the deadline what ended at it may still be sent, and the part of the window that this is at most.
const LAST_BYTES: Duration = Duration::from_millis(250);
const LAST_BYTES_SHARE: f64 = 0.1;

/// The handle that ends streams: one for a process, cloned to wherever something must end.
///
/// It has two moments. It *begins* with [`notify`](Shutdown::notify) or a signal: as a future it completes then,
/// streams that can resume end over the first half of the window, and new subscriptions receive a `retry` and end. The
/// window's end is the [`deadline`](Shutdown::deadline), by which every stream has ended;
/// [`serve`](Shutdown::serve) drops the rest.
///
/// ```
/// use std::time::Duration;
/// use sse_core::Shutdown;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let shutdown = Shutdown::within(Duration::from_secs(10));
/// shutdown.notify();
/// shutdown.clone().await;
/// # }
/// ```
pub struct Shutdown {
    shared: Arc<Shared>,
    slot: Slot,
    /// Who was registered last: polled again by the same task, it need not be locked again.
    waker: Option<Waker>,
}

struct Shared {
    window: Duration,
    begun: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    began_at: Option<Instant>,
    waiters: Waiters,
}

impl Shutdown {
    /// A handle whose window, from the beginning to the end of everything, is this long.
    #[must_use]
    pub fn within(window: Duration) -> Self {
        let shared = Shared { window, begun: AtomicBool::new(false), state: Mutex::default() };
        Self { shared: Arc::new(shared), slot: Slot::default(), waker: None }
    }

    /// Begins the shutdown on SIGTERM or Ctrl-C as well; must be called within a Tokio runtime.
    ///
    /// From the moment it returns, the first of them no longer ends the process, but begins the shutdown. A second one ends
    /// the process at once, without running destructors, as it would end a process that listens to no signals: the exit code
    /// is 128 and the signal's number (130 after Ctrl-C, 143 after SIGTERM). A shutdown that [`notify`](Shutdown::notify)
    /// began counts no signals: it too takes two.
    ///
    /// Outside a runtime, or if the signals cannot be listened to, that is logged as an error and only
    /// [`notify`](Shutdown::notify) begins it.
    ///
    /// # Panics
    /// As Tokio's own signals do, in a runtime that was built without IO, in which no server can run either.
    #[must_use]
    pub fn on_signals(self) -> Self {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("`on_signals` outside a runtime; only `notify` shuts down");
            return self;
        };
        // Here, not in the task: until they are listened to, a signal ends the process and cuts every stream.
        match signals() {
            Ok(mut signals) => {
                let shutdown = self.clone();
                runtime.spawn(async move {
                    signals.next().await;
                    shutdown.notify();
                    let number = signals.next().await;
                    tracing::warn!("a second signal: the process ends at once");
                    process::exit(128 + number);
                });
            }
            Err(error) => {
                tracing::error!(%error, "signals cannot be listened to; only `notify` shuts down");
            }
        }
        self
    }

    /// Begins the shutdown; further calls do nothing.
    pub fn notify(&self) {
        let waiting = {
            let mut state = self.lock();
            if state.began_at.is_some() {
                return;
            }
            state.began_at = Some(Instant::now());
            self.shared.begun.store(true, Ordering::Release);
            state.waiters.take()
        };
        wake(waiting);
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.shared.begun.load(Ordering::Acquire)
    }

    /// The length of the window.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.shared.window
    }

    /// Completes at the window's end; for streams that cannot be resumed, such as tokens:
    /// `.until(shutdown.deadline())`.
    pub fn deadline(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.after(self.shared.window)
    }

    /// Runs a server and drops it just after the window's end, so that nothing hangs the process.
    ///
    /// A tenth of the window, at most 250 ms, is left to send the last bytes of what ended at the deadline.
    ///
    /// Returns what the server returned, or `None` if it had to be dropped.
    pub async fn serve<T>(&self, server: impl IntoFuture<Output = T>) -> Option<T> {
        let window = self.shared.window;
        let deadline = self.after(window + window.mul_f64(LAST_BYTES_SHARE).min(LAST_BYTES));
        tokio::pin!(deadline);
        let server = server.into_future();
        tokio::pin!(server);
        poll_fn(|cx| match server.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => deadline.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// When the moment `share` of the window has passed; waits for it to begin.
    pub(crate) fn share_of_window(&self, share: f64) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.after(self.shared.window.mul_f64(share))
    }

    /// Completes this long after the shutdown began; waits for it to begin.
    fn after(&self, time: Duration) -> impl Future<Output = ()> + Send + Sync + 'static {
        let shutdown = self.clone();
        async move { tokio::time::sleep_until(shutdown.began().await + time).await }
    }

    /// When it began; waits for it.
    async fn began(mut self) -> Instant {
        poll_fn(|cx| self.poll_began(cx)).await
    }

    fn poll_began(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let Self { shared, slot, waker } = self;
        if waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
            && !shared.begun.load(Ordering::Acquire)
        {
            return Poll::Pending;
        }
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.began_at {
            Some(began_at) => Poll::Ready(began_at),
            None => {
                state.waiters.register(slot, cx.waker());
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Shutdown {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), slot: Slot::default(), waker: None }
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        let Self { shared, slot, .. } = self;
        shared.state.lock().unwrap_or_else(PoisonError::into_inner).waiters.cancel(slot);
    }
}

/// Completes when the shutdown begins.
impl Future for Shutdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_begun() { Poll::Ready(()) } else { self.poll_began(cx).map(drop) }
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("window", &self.shared.window)
            .field("has_begun", &self.has_begun())
            .finish()
    }
}

/// The signals that end a process, listened to from now on.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
fn signals() -> io::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};

    Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
}

#[cfg(unix)]
impl Signals {
    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        use tokio::signal::unix::SignalKind;

        poll_fn(|cx| {
            if self.terminate.poll_recv(cx).is_ready() {
                return Poll::Ready(SignalKind::terminate().as_raw_value());
            }
            self.interrupt.poll_recv(cx).map(|_| SignalKind::interrupt().as_raw_value())
        })
        .await
    }
}

/// Ctrl-C, listened to from now on.
#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
fn signals() -> io::Result<Signals> {
    tokio::signal::windows::ctrl_c().map(Signals)
}

#[cfg(windows)]
impl Signals {
    /// The number that other systems give to the next one.
    async fn next(&mut self) -> i32 {
        const INTERRUPT: i32 = 2;
        poll_fn(|cx| self.0.poll_recv(cx)).await;
        INTERRUPT
    }
}
