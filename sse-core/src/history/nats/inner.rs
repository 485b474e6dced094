use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_nats::Subscriber;
use futures_core::Stream;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    NatsHistoryBuilder, answer,
    delivered::DeliveredMarks,
    known::{Known, Safety},
    link::{self, Link},
    settings,
};
use crate::history::HistoryError;

/// The number of concurrent reads of records; further reads wait.
const READS: usize = 8;

/// The time for which the table of epochs counts as current without another look, while the connection lasts.
const CURRENT: Duration = Duration::from_secs(5);

/// The data that a history and its tails share.
pub(super) struct Inner {
    pub(super) link: Link,
    pub(super) options: NatsHistoryBuilder,
    /// The stream of events, and the first part of its subjects.
    pub(super) name: String,
    /// The stream of the table of epochs, which is also its subject.
    pub(super) epochs: String,
    /// The first part of the subjects of signals.
    pub(super) signals: String,
    pub(super) known: Mutex<Known>,
    pub(super) delivered: Mutex<DeliveredMarks>,
    /// The safety that was found for the stream of events.
    pub(super) safety: Mutex<Option<Safety>>,
    /// The number of rows in the table when a reader first asked.
    pub(super) first_rows: OnceLock<usize>,
    /// The connection on which the stream and the table were last looked at, and the time.
    pub(super) fenced: Mutex<Option<(u64, Instant)>>,
    /// The notifications about the table since then: they arrive before the answers that follow from them.
    pub(super) news: Mutex<Subscriber>,
    pub(super) looking: tokio::sync::Mutex<()>,
    pub(super) replays: Semaphore,
}

impl Inner {
    /// Connects, and opens the stream.
    pub(super) async fn open(
        options: NatsHistoryBuilder,
        url: &str,
        name: &str,
    ) -> Result<Self, HistoryError> {
        settings::check_name(name)?;
        let link = Link::connect(url).await?;
        settings::check_version(&link.server().version)?;
        let epochs = format!("{name}-epochs");
        let news = link.subscribe(&epochs).await.map_err(answer::Failure::into_unavailable)?;
        let inner = Self {
            link,
            options,
            name: name.to_owned(),
            epochs,
            signals: format!("{name}-signal"),
            known: Mutex::default(),
            delivered: Mutex::default(),
            safety: Mutex::default(),
            first_rows: OnceLock::new(),
            fenced: Mutex::new(None),
            news: Mutex::new(news),
            looking: tokio::sync::Mutex::new(()),
            replays: Semaphore::new(READS),
        };
        let info = inner.look().await?;
        info.config.warn_of_limits(name, &inner.options);
        Ok(inner)
    }

    /// Ensures that the stream and the table were looked at on this connection, within the last [`CURRENT`].
    pub(super) async fn fence(&self) -> Result<(), HistoryError> {
        if !self.link.is_connected() {
            return Err(answer::Failure::NotConnected.into_unavailable());
        }
        if self.is_fenced() {
            return Ok(());
        }
        let one_at_a_time = tokio::time::timeout(link::ANSWER, self.looking.lock());
        let _one_at_a_time = one_at_a_time.await.map_err(|_| answer::Failure::Lost.into_unavailable())?;
        if self.is_fenced() { Ok(()) } else { self.look().await.map(drop) }
    }

    pub(super) fn is_fenced(&self) -> bool {
        if self.table_changed() {
            self.invalidate();
            return false;
        }
        let fenced = *self.fenced.lock().unwrap_or_else(PoisonError::into_inner);
        fenced.is_some_and(|(connects, at)| connects == self.link.connects() && at.elapsed() < CURRENT)
    }

    /// Causes another look at the stream and the table before any other request.
    pub(super) fn invalidate(&self) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns whether any process has changed the table since the last call.
    pub(super) fn table_changed(&self) -> bool {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has_any = false;
        let mut nobody = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(_)) = Pin::new(&mut *news).poll_next(&mut nobody) {
            has_any = true;
        }
        has_any
    }

    pub(super) fn fenced(&self, connects: u64) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) = Some((connects, Instant::now()));
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn delivered(&self) -> MutexGuard<'_, DeliveredMarks> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
