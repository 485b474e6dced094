//! The connections of a process, which are opened again when they break.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use super::{
    connect::{Session, Target},
    failure::Failure,
};
use crate::history::{HistoryError, HistoryErrorKind};

/// The shortest and the longest pause between attempts: doubled each time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A server, and the session with it.
pub(super) struct Link {
    pub(super) target: Target,
    state: Mutex<State>,
}

enum State {
    Up(Arc<Session>),
    Down { number: u64, error: HistoryError },
}

impl Link {
    /// Connects for the first time.
    pub(super) async fn connect(target: Target) -> Result<Arc<Self>, HistoryError> {
        let session = target.session(0).await.map_err(Failure::connecting)?;
        let session = Arc::new(session);
        let link = Arc::new(Self { target, state: Mutex::new(State::Up(Arc::clone(&session))) });
        link.watch(session);
        Ok(link)
    }

    /// Returns the session, or immediately the error that explains why there is none.
    pub(super) fn get(&self) -> Result<Arc<Session>, HistoryError> {
        match &*self.lock() {
            State::Up(session) => Ok(Arc::clone(session)),
            State::Down { error, .. } => Err(error.clone()),
        }
    }

    /// Marks a session as unusable, and opens another in the background.
    pub(super) fn broken(self: &Arc<Self>, number: u64, failure: &Failure) {
        let mut state = self.lock();
        match &*state {
            State::Up(session) if session.number == number => {
                session.ended.cancel();
                *state = State::Down { number: number + 1, error: away(failure) };
                tracing::warn!(error = %failure, "the connection to PostgreSQL broke; making another");
                tokio::spawn(renew(Arc::downgrade(self)));
            }
            _ => {}
        }
    }

    /// Marks the session as unusable when one of its connections ends.
    fn watch(self: &Arc<Self>, session: Arc<Session>) {
        let (link, ended, number) = (Arc::downgrade(self), session.ended.clone(), session.number);
        drop(session);
        tokio::spawn(async move {
            ended.cancelled().await;
            if let Some(link) = link.upgrade() {
                link.broken(number, &Failure::Slow);
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn renew(link: Weak<Link>) {
    let mut backoff = Backoff::default();
    loop {
        backoff.pause().await;
        let Some(link) = link.upgrade() else { return };
        let State::Down { number, .. } = *link.lock() else { return };
        match link.target.session(number).await {
            Ok(session) => {
                let session = Arc::new(session);
                *link.lock() = State::Up(Arc::clone(&session));
                link.watch(session);
                tracing::info!("connected to PostgreSQL again");
                return;
            }
            Err(failure) => {
                if let State::Down { error, .. } = &mut *link.lock() {
                    *error = away(&failure);
                }
            }
        }
    }
}

fn away(failure: &Failure) -> HistoryError {
    let message = format!(
        "no connection to PostgreSQL at the moment ({failure}), and nothing was sent; try again later"
    );
    HistoryError::new(HistoryErrorKind::Unavailable, message)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// The pauses between attempts.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(PAUSES.0)
    }
}

impl Backoff {
    /// Waits, longer each time; jittered, so that many processes do not come back together.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.0.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.0 = (self.0 * 2).min(PAUSES.1);
    }
}
