use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

#[cfg(doc)]
use crate::hub::Subscribe;

/// Permission to read that ends at a given time, or when it is revoked.
///
/// A handle, cheap to clone: give one clone to each stream of a session with [`Subscribe::lease`], and keep
/// another one to [`renew`](Lease::renew) or [`revoke`](Lease::revoke) it. The lease is checked before anything
/// is read for the reader and before each byte is written, keep-alives included. When it is over, a waiting
/// stream ends at once with [`EndReason::Expired`](crate::hub::EndReason::Expired). A stream that is not a
/// subscription can use `.until(lease.over())`.
///
/// ```
/// use std::time::Duration;
/// use sse_core::{Hub, Lease};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), sse_core::error::SubscribeError> {
/// let hub = Hub::memory();
/// let lease = Lease::within(Duration::from_secs(600));
/// let mut reader = hub.subscribe("prices").lease(&lease).await?;
/// lease.revoke();
/// assert!(reader.next().await.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Lease {
    term: Arc<watch::Sender<Term>>,
}

#[derive(Clone, Copy)]
struct Term {
    /// The time of expiry; `None` if the lease does not expire.
    expires: Option<Instant>,
    revoked: bool,
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Lease {
    /// Creates a lease that ends only when it is revoked.
    #[must_use]
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Creates a lease that ends after `time`.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self::with(Instant::now().checked_add(time))
    }

    /// Creates a lease that ends at `time`, such as a token's `exp`; one in the past is over at once.
    ///
    /// The clock is read now: a later change of the system clock does not move the end.
    #[must_use]
    pub fn until(time: SystemTime) -> Self {
        Self::within(time.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Moves the end to `time` from now, for every clone. Streams that have ended stay ended, and a revoked
    /// lease stays revoked.
    pub fn renew(&self, time: Duration) {
        let expires = Instant::now().checked_add(time);
        self.term.send_modify(|term| term.expires = expires);
    }

    /// Ends the lease at once and for good, for every clone.
    pub fn revoke(&self) {
        self.term.send_modify(|term| term.revoked = true);
    }

    /// Returns whether the lease has expired or was revoked.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.term.borrow().is_over()
    }

    /// Completes when the lease has expired or was revoked.
    pub fn over(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut term = self.term.subscribe();
        async move {
            loop {
                let now = *term.borrow_and_update();
                if now.is_over() {
                    return;
                }
                // Once every handle is dropped, the lease cannot be renewed or revoked.
                let moved = async {
                    if term.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                };
                match now.expires {
                    Some(expires) => drop(tokio::time::timeout_at(expires, moved).await),
                    None => moved.await,
                }
            }
        }
    }

    fn with(expires: Option<Instant>) -> Self {
        Self { term: Arc::new(watch::Sender::new(Term { expires, revoked: false })) }
    }
}

impl Term {
    fn is_over(&self) -> bool {
        self.revoked || self.expires.is_some_and(|expires| Instant::now() >= expires)
    }
}

impl From<&Lease> for Lease {
    fn from(lease: &Lease) -> Self {
        lease.clone()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
