//! What only some readers ask for, kept apart so that the others do not pay for it.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::Instant;

use super::{
    filter::EventFilter,
    snapshot::{Loader, Snapshots},
};
use crate::hub::{
    EndReason, Lease, readers::registry::Admission, subscription::backfill::Backfill,
    subscription::gather::Gathering,
};
use crate::{panic::Panic, resume::OriginPolicy};

/// The terms of a subscription that has not begun.
#[derive(Default)]
pub(crate) struct SubscribeOptions {
    pub(crate) origins: Option<OriginPolicy>,
    pub(crate) lease: Option<Lease>,
    pub(crate) sieve: EventFilter,
    pub(crate) seat: Admission,
    pub(crate) snapshot: Option<Loader>,
}

/// What such a reader carries along.
#[derive(Default)]
pub(crate) struct ReaderExtras {
    lease: Option<LeaseTimer>,
    pub(crate) ended: Option<EndReason>,
    /// The application's code failed; the reader ends after what was decided before.
    pub(crate) failure: Option<Arc<Panic>>,
    /// What each of the feed's rings had evicted when a reader without a cursor asked for what is kept: no gap.
    pub(crate) ignored_evictions: Box<[u64]>,
    /// What decides about each event, if anything does.
    pub(crate) sieve: Option<Arc<EventFilter>>,
    /// The earlier state of topics that it added, to be sent before anything else.
    pub(in crate::hub) backfills: VecDeque<Backfill>,
    /// Where it turned to other topics or got their state, until it ends.
    pub(crate) joined_at: Option<u64>,
    pub(crate) snapshots: Option<Snapshots>,
    /// When it may have more read from the history, if the hub paces its readers.
    pub(crate) next_replay_at: Option<Instant>,
    /// What is being gathered for it from very many topics.
    pub(in crate::hub) gathering: Option<Box<Gathering>>,
    /// Of a reader whose response is compressed.
    #[cfg(feature = "compress")]
    pub(crate) sharing: Option<Box<crate::hub::options::compression::GzipReader>>,
}

/// A lease, and what wakes the reader when it is over.
struct LeaseTimer {
    lease: Lease,
    over: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl ReaderExtras {
    pub(crate) fn of(terms: SubscribeOptions) -> Option<Box<Self>> {
        let lease = terms.lease.map(|lease| LeaseTimer { over: Box::pin(lease.over()), lease });
        let sieve = (!terms.sieve.is_open()).then(|| Arc::new(terms.sieve));
        let snapshots = terms.snapshot.map(Snapshots::new);
        let has_any = lease.is_some() || sieve.is_some() || snapshots.is_some();
        has_any.then(|| Box::new(Self { lease, sieve, snapshots, ..Self::default() }))
    }

    /// Drops what is known of positions after `position`.
    pub(crate) fn cut(&mut self, position: u64) {
        self.ignored_evictions.iter_mut().for_each(|evicted| *evicted = position.min(*evicted));
        self.joined_at = self.joined_at.map(|joined_at| joined_at.min(position));
        self.backfills.iter_mut().for_each(|backfill| backfill.cut(position));
    }

    /// Forgives nothing any more once the reader is past all that was; `false` if nothing is left here.
    pub(crate) fn expire_ignored(&mut self, position: u64) -> bool {
        if !self.ignored_evictions.is_empty()
            && self.ignored_evictions.iter().all(|evicted| *evicted <= position)
        {
            self.ignored_evictions = Box::default();
        }
        #[cfg(feature = "compress")]
        if self.sharing.is_some() {
            return true;
        }
        let Self {
            lease,
            ended,
            failure,
            ignored_evictions,
            sieve,
            backfills,
            joined_at,
            snapshots,
            next_replay_at,
            gathering,
            ..
        } = self;
        let (is_bound, is_placed) = (
            lease.is_some() || sieve.is_some(),
            joined_at.is_some() || next_replay_at.is_some() || gathering.is_some(),
        );
        let is_over = ended.is_some() || failure.is_some();
        let has_more = snapshots.is_some() || !ignored_evictions.is_empty() || !backfills.is_empty();
        is_bound || is_placed || is_over || has_more
    }

    /// Whether the reader may read no longer.
    pub(crate) fn is_lease_over(&self) -> bool {
        self.lease.as_ref().is_some_and(|leased| leased.lease.is_over())
    }

    /// Whether the reader may read no longer; else its task is woken then.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(leased) = &mut self.lease else { return false };
        // A timer may fire a little late, so the clock is asked as well.
        leased.lease.is_over() || matches!(leased.over.as_mut().poll(cx), Poll::Ready(()))
    }
}
