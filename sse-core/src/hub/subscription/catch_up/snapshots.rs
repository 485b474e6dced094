//! How a reader gets the state of what it reads.

use std::{error, fmt, sync::Arc};

use crate::hub::subscription::subscription::Subscription;
use crate::hub::{
    control_events,
    end::EndReason,
    options::snapshot::{Error, Loaded, Snapshot, SnapshotRequest, Snapshots},
    publish::publish::publishable,
    readers::holding::{Work, WorkKind},
};
use crate::resume::{Cursor, Gap};

/// How often in a row the state is loaded although the events that follow it are already evicted.
const MAX_RELOADS: u8 = 3;

impl Subscription {
    /// Moves to the newest position and begins to load the state there; returns `false` if the reader gets no
    /// states.
    ///
    /// `gap` is sent first, without an id: until the state is sent, the reader's cursor must not move.
    pub(in crate::hub) fn begin_snapshot(&mut self, gap: Option<&Gap>) -> bool {
        let announced = self.progress.announced();
        if self.snapshots().is_none() {
            return false;
        }
        let Some(position) = self.newest() else {
            // A fork may have removed the position; the check for it may begin the load.
            self.check_for_fork();
            return self.is_loading() || self.begin_snapshot(gap);
        };
        let Some(snapshots) = self.snapshots() else { return false };
        let is_repeated = snapshots.loaded_at.is_some() && snapshots.loaded_at == announced;
        snapshots.reloads = if is_repeated { snapshots.reloads + 1 } else { 0 };
        if snapshots.reloads >= MAX_RELOADS {
            tracing::error!("what follows the state is evicted before it is sent; keep more, or load faster");
            self.end(EndReason::Unavailable);
            return true;
        }
        self.move_to(position.seq());
        let gap = gap.map(|gap| Gap { resumed_at: position, ..gap.clone() });
        if let Some(gap) = &gap {
            self.queue_notice(control_events::gap(gap).without_id());
        }
        let request = SnapshotRequest::new(self.feed.patterns.to_vec(), position, gap);
        let loading = self.snapshots().map(|snapshots| snapshots.loader.load(request));
        if let Some(loading) = loading {
            self.start_work(Work::Snapshot(loading));
        }
        true
    }

    /// Returns whether the state is being loaded.
    pub(in crate::hub) fn is_loading(&self) -> bool {
        self.work == Some(WorkKind::Snapshot)
    }

    pub(in crate::hub) fn take_snapshot(&mut self, loaded: Loaded) {
        if let Err(error) = loaded.and_then(|snapshot| self.send_snapshot(snapshot)) {
            self.end(EndReason::Error(error));
        }
    }

    fn send_snapshot(&mut self, snapshot: Snapshot) -> Result<(), Error> {
        let (events, at) = snapshot.into_parts();
        let cursor = match at {
            Some(at) => self.verified(at)?,
            None => match self.cursor_at(self.progress.position()) {
                Some(cursor) => cursor,
                None => {
                    // A fork may have removed the position of the state.
                    self.check_for_fork();
                    let _ = self.is_loading() || self.begin_snapshot(None);
                    return Ok(());
                }
            },
        };
        self.move_to(cursor.seq());
        let last = events.len();
        for (number, event) in (1..).zip(events) {
            let lines = publishable(event).map_err(|error| Arc::new(error) as Error)?;
            self.queue_notice(control_events::state(lines, (number == last).then_some(cursor)));
        }
        if last == 0 {
            self.queue_notice(control_events::checkpoint(cursor));
        }
        self.progress.announce(cursor.seq());
        if let Some(extras) = &mut self.extras {
            // Topics that were already finished at that position are known to be finished.
            extras.joined_at = Some(cursor.seq());
            if let Some(snapshots) = &mut extras.snapshots {
                snapshots.loaded_at = Some(cursor.seq());
            }
        }
        Ok(())
    }

    /// Returns the position that the state reports, if the events after it can follow.
    fn verified(&self, at: Cursor) -> Result<Cursor, Error> {
        let state = self.hub.window().lock();
        let is_known = match state.epochs.fork_after(at.epoch()) {
            None => false,
            Some(fork) => fork.is_none_or(|fork| at.seq() < fork),
        };
        // Another process may have published events that this one has not seen yet.
        let is_ahead = at.seq() > state.head() && self.hub.history().is_none();
        if is_known && !is_ahead { Ok(at) } else { Err(Arc::new(UnknownPosition(at))) }
    }

    /// Returns whether the reader gets states.
    pub(in crate::hub) fn has_snapshots(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.snapshots.is_some())
    }

    fn snapshots(&mut self) -> Option<&mut Snapshots> {
        self.extras.as_mut().and_then(|extras| extras.snapshots.as_mut())
    }
}

/// The error for a state whose position this hub does not have.
#[derive(Debug)]
struct UnknownPosition(Cursor);

impl fmt::Display for UnknownPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "snapshot: {} is no place of this hub's history; say where a publish's receipt stood",
            self.0
        )
    }
}

impl error::Error for UnknownPosition {}
