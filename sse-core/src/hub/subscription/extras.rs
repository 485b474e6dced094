//! State that only some readers need, kept apart so that the others do not pay for it.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::Instant;

use crate::hub::{
    end::EndReason, feeds::backfill::Backfill, feeds::gathering::Gathering, feeds::gzip::GzipReader,
    options::filter::EventFilter, options::lease::Lease, options::snapshot::Snapshots,
    options::subscribe_options::SubscribeOptions,
};
use crate::panic::Panic;

/// The state of a reader that uses one of these options.
#[derive(Default)]
pub(crate) struct ReaderExtras {
    lease: Option<LeaseTimer>,
    pub(crate) ended: Option<EndReason>,
    /// The failure of the application's code; the reader ends after the events decided before it.
    pub(crate) failure: Option<Arc<Panic>>,
    /// What each of the feed's rings had evicted when a reader without a cursor asked for stored events: not a
    /// gap.
    pub(crate) ignored_evictions: Box<[u64]>,
    /// The filter of the reader, if it has one.
    pub(crate) filter: Option<Arc<EventFilter>>,
    /// The earlier state of topics that the reader added, to be sent before anything else.
    pub(in crate::hub) backfills: VecDeque<Backfill>,
    /// The position at which it switched to other topics or got their state, until it ends.
    pub(crate) joined_at: Option<u64>,
    pub(crate) snapshots: Option<Snapshots>,
    /// When the reader may continue to read from the history, if the hub limits its rate.
    pub(crate) next_replay_at: Option<Instant>,
    /// The events that are being gathered for the reader from very many topics.
    pub(in crate::hub) gathering: Option<Box<Gathering>>,
    /// The state of a reader whose response is compressed.
    pub(in crate::hub) gzip: Option<Box<GzipReader>>,
}

/// A lease, and the future that wakes the reader when the lease is over.
struct LeaseTimer {
    lease: Lease,
    over: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl ReaderExtras {
    pub(crate) fn of(options: SubscribeOptions) -> Option<Box<Self>> {
        let lease = options.lease.map(|lease| LeaseTimer { over: Box::pin(lease.over()), lease });
        let filter = (!options.filter.is_open()).then(|| Arc::new(options.filter));
        let snapshots = options.snapshot.map(Snapshots::new);
        let has_any = lease.is_some() || filter.is_some() || snapshots.is_some();
        has_any.then(|| Box::new(Self { lease, filter, snapshots, ..Self::default() }))
    }

    /// Drops what is known of positions after `position`.
    pub(crate) fn cut(&mut self, position: u64) {
        self.ignored_evictions.iter_mut().for_each(|evicted| *evicted = position.min(*evicted));
        self.joined_at = self.joined_at.map(|joined_at| joined_at.min(position));
        self.backfills.iter_mut().for_each(|backfill| backfill.cut(position));
    }

    /// Clears the ignored evictions once the reader is past all of them; returns `false` if no state is left
    /// here.
    pub(crate) fn expire_ignored(&mut self, position: u64) -> bool {
        if !self.ignored_evictions.is_empty()
            && self.ignored_evictions.iter().all(|evicted| *evicted <= position)
        {
            self.ignored_evictions = Box::default();
        }
        let Self {
            lease,
            ended,
            failure,
            ignored_evictions,
            filter,
            backfills,
            joined_at,
            snapshots,
            next_replay_at,
            gathering,
            gzip,
        } = self;
        let (is_bound, is_placed) = (
            lease.is_some() || filter.is_some() || gzip.is_some(),
            joined_at.is_some() || next_replay_at.is_some() || gathering.is_some(),
        );
        let is_over = ended.is_some() || failure.is_some();
        let has_more = snapshots.is_some() || !ignored_evictions.is_empty() || !backfills.is_empty();
        is_bound || is_placed || is_over || has_more
    }

    /// Returns whether the reader's lease is over.
    pub(crate) fn is_lease_over(&self) -> bool {
        self.lease.as_ref().is_some_and(|leased| leased.lease.is_over())
    }

    /// Returns whether the reader's lease is over; if it is not, its task is woken then.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(leased) = &mut self.lease else { return false };
        // A timer may fire a little late, so the clock is checked as well.
        leased.lease.is_over() || matches!(leased.over.as_mut().poll(cx), Poll::Ready(()))
    }
}
