use std::{
    fmt,
    future::{Future, poll_fn},
    io, mem,
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

use crate::{
    panic::Panic,
    waiters::{Slot, Waiters, wake},
};

/// The maximum time after the deadline for sending the last bytes of streams that ended there, and the same as a
/// share of the window.
const LAST_BYTES: Duration = Duration::from_millis(250);
const LAST_BYTES_SHARE: f64 = 0.1;

/// A handle that ends streams: one for a process, with clones wherever something must end.
///
/// A shutdown has two moments. It *begins* with [`notify`](Shutdown::notify) or a signal: the handle as a future
/// completes, streams that can resume end over the first half of the window, and new subscriptions receive a
/// `retry` and end. At the window's end, the [`deadline`](Shutdown::deadline), every stream has ended;
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
    /// The last registered waker: if the same task polls again, no lock is needed.
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
    hooks: Vec<Box<dyn FnOnce() + Send>>,
}

impl Shutdown {
    /// Makes a handle with a window of this length, from the beginning to the end of all streams.
    #[must_use]
    pub fn within(window: Duration) -> Self {
        let shared = Shared { window, begun: AtomicBool::new(false), state: Mutex::default() };
        Self { shared: Arc::new(shared), slot: Slot::default(), waker: None }
    }

    /// Also begins the shutdown on SIGTERM or Ctrl-C; must be called within a Tokio runtime.
    ///
    /// After this method returns, the first signal no longer ends the process, but begins the shutdown. A second
    /// signal ends the process at once, without running destructors, as it would without signal handlers: the exit
    /// code is 128 plus the signal's number (130 after Ctrl-C, 143 after SIGTERM). A [`notify`](Shutdown::notify)
    /// does not count as a signal: after it, two signals are still needed to end the process at once.
    ///
    /// Outside a runtime, or if listening to the signals fails, the failure is logged as an error and only
    /// [`notify`](Shutdown::notify) begins the shutdown.
    ///
    /// # Panics
    /// In a runtime that was built without IO, as Tokio's own signals do; a server cannot run there either.
    #[must_use]
    pub fn on_signals(self) -> Self {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("`on_signals` outside a runtime; only `notify` shuts down");
            return self;
        };
        // Here, not in the task: until the process listens to them, a signal ends it and cuts every stream.
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
        let (hooks, waiting) = {
            let mut state = self.lock();
            if state.began_at.is_some() {
                return;
            }
            state.began_at = Some(Instant::now());
            self.shared.begun.store(true, Ordering::Release);
            (mem::take(&mut state.hooks), state.waiters.take())
        };
        for hook in hooks {
            // Every stream must learn of the shutdown, whatever a hook does.
            if let Err(panic) = Panic::catch(hook) {
                tracing::error!(error = %panic, "a hook for the beginning of the shutdown failed");
            }
        }
        wake(waiting);
    }

    /// Calls `hook` once when the shutdown begins, before the waiting streams and servers are woken; at once if it has begun.
    ///
    /// For what must change first, such as a readiness check, or another shutdown that begins with this one. The hook
    /// runs on the thread that begins the shutdown and must not block. A panic in it is logged, and the shutdown goes on.
    ///
    /// ```
    /// use std::{sync::{Arc, atomic::{AtomicBool, Ordering}}, time::Duration};
    /// use sse_core::Shutdown;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let shutdown = Shutdown::within(Duration::from_secs(10));
    /// let ready = Arc::new(AtomicBool::new(true));
    /// let flag = Arc::clone(&ready);
    /// shutdown.on_begin(move || flag.store(false, Ordering::Relaxed));
    /// shutdown.notify();
    /// assert!(!ready.load(Ordering::Relaxed));
    /// # }
    /// ```
    pub fn on_begin(&self, hook: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.began_at.is_none() {
            state.hooks.push(Box::new(hook));
            return;
        }
        drop(state);
        hook();
    }

    /// Returns `true` if the shutdown has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.shared.begun.load(Ordering::Acquire)
    }

    /// Returns the length of the window.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.shared.window
    }

    /// Returns a future that completes at the window's end; for streams that cannot be resumed, such as tokens:
    /// `.until(shutdown.deadline())`.
    pub fn deadline(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.after(self.shared.window)
    }

    /// Runs a server and drops it just after the window's end, so that the process cannot hang.
    ///
    /// A tenth of the window, at most 250 ms, remains after the deadline to send the last bytes of streams that
    /// ended there.
    ///
    /// Returns the server's result, or `None` if the server had to be dropped.
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

    /// Completes when the share `share` of the window has passed; waits for the shutdown to begin.
    pub(crate) fn share_of_window(&self, share: f64) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.after(self.shared.window.mul_f64(share))
    }

    /// Completes when `time` has passed since the beginning of the shutdown; waits for it to begin.
    fn after(&self, time: Duration) -> impl Future<Output = ()> + Send + Sync + 'static {
        let shutdown = self.clone();
        async move { tokio::time::sleep_until(shutdown.began().await + time).await }
    }

    /// Returns when the shutdown began; waits for that.
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

/// The signals that end a process, received from the creation of this value on.
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
    /// Waits for the next signal and returns its number.
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

/// Ctrl-C, received from the creation of this value on.
#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
fn signals() -> io::Result<Signals> {
    tokio::signal::windows::ctrl_c().map(Signals)
}

#[cfg(windows)]
impl Signals {
    /// Waits for the next Ctrl-C and returns the number of the same signal on other systems.
    async fn next(&mut self) -> i32 {
        const INTERRUPT: i32 = 2;
        poll_fn(|cx| self.0.poll_recv(cx)).await;
        INTERRUPT
    }
}
