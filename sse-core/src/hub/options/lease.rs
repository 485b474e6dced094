use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

use crate::hub::Subscribe;

/// Permission to read that ends: at a time, or when it is revoked.
///
/// A handle, cheap to clone: give one clone to each stream of a session with [`Subscribe::lease`], keep another to
/// [`renew`](Lease::renew) or [`revoke`](Lease::revoke) it. It is looked at before anything is read for the reader and
/// before each byte is written, keep-alives included, and ends a waiting stream at once with
/// [`EndReason::Expired`](crate::hub::EndReason::Expired). A stream that is not a subscription can use
/// `.until(lease.over())`.
///
/// ```
/// use std::time::Duration;
/// use sse_core::{Hub, Lease};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), sse_core::SubscribeError> {
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
    /// Never, if there is none.
    expires: Option<Instant>,
    revoked: bool,
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Lease {
    /// A lease that only revoking ends.
    #[must_use]
    pub fn new() -> Self {
        Self::with(None)
    }

    /// A lease that ends after `time`.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self::with(Instant::now().checked_add(time))
    }

    /// A lease that ends at `time`, such as a token's `exp`; one in the past is over at once.
    ///
    /// The clock is read now: setting the system's clock later does not move the end.
    #[must_use]
    pub fn until(time: SystemTime) -> Self {
        Self::within(time.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Moves the end to `time` from now, for every clone; streams that have ended stay ended, and what was revoked
    /// stays revoked.
    pub fn renew(&self, time: Duration) {
        let expires = Instant::now().checked_add(time);
        self.term.send_modify(|term| term.expires = expires);
    }

    /// Ends it at once and for good, for every clone.
    pub fn revoke(&self) {
        self.term.send_modify(|term| term.revoked = true);
    }

    /// Whether it has expired or was revoked.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.term.borrow().is_over()
    }

    /// Completes when it has expired or was revoked.
    pub fn over(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut term = self.term.subscribe();
        async move {
            loop {
                let now = *term.borrow_and_update();
                if now.is_over() {
                    return;
                }
                // Nobody can renew or revoke it once every handle is gone.
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

impl Subscribe {
    /// Reads under this lease: when it is over the stream ends before another byte of it is written, and the reader
    /// reconnects, to be judged anew. One that is over already reads nothing at all.
    ///
    /// The last of several calls counts.
    pub fn lease(mut self, lease: impl Into<Lease>) -> Self {
        self.terms.lease = Some(lease.into());
        self
    }
}
