//! How a reader begins: at its start point, refused, or for a probe.

use std::sync::Arc;

use super::{
    start::{StartPoint, StartSummary},
    subscription::Subscription,
};
use crate::hub::{end::EndReason, readers::reader::Reader, shared::Shared, window::survey::View};
use crate::{
    panic::Panic,
    request::{Cors, Negotiated},
    resume::{Cursor, Requested, Resume},
};

impl Subscription {
    /// Creates a reader that is refused for now: 200, `retry`, end. A new reader receives the cursor `at`, if
    /// there is one.
    pub(crate) fn refused(hub: Arc<Shared>, end: EndReason, at: Option<Cursor>) -> Self {
        let attached = hub.window().peek(Box::default(), Arc::new(Reader::new(hub.clock())));
        let mut subscription = Self::new(hub, &attached, None);
        subscription.end(end);
        let beginning = subscription.beginning.get_or_insert_default();
        (beginning.is_refused, beginning.refused_at) = (true, at);
        subscription
    }

    /// Creates a reader for which the application failed: it is refused, and an `EventSource` reconnects as
    /// after any error.
    pub(crate) fn failed(hub: Arc<Shared>, panic: Panic, negotiated: Negotiated, cors: Cors) -> Self {
        let mut subscription = Self::refused(hub, EndReason::Error(Arc::new(panic)), None);
        subscription.negotiated = negotiated;
        subscription.allow(cors);
        subscription
    }

    /// Begins at `opening`; returns `false` if the history was rewritten since that was decided.
    pub(crate) fn open(&mut self, opening: StartPoint, view: &View, requested: &Requested) -> bool {
        self.progress.apply_epochs(opening.version);
        let Some(resumed_at) = self.cursor_at(opening.position) else { return false };
        let resume = opening.resume(requested, resumed_at);
        self.forgotten_floor = if self.feed.is_exact { 0 } else { view.evicted };
        if let Some(ignored_evictions) = opening.ignored_evictions {
            self.extras.get_or_insert_default().ignored_evictions = ignored_evictions;
            self.forgotten_floor = 0;
        }
        self.move_to(opening.position);
        match &resume {
            Resume::Fresh => {
                self.begin_snapshot(None);
            }
            Resume::Exact { after } | Resume::AtTail { after } => self.progress.announce(after.seq()),
            Resume::Gap(gap) => self.send_gap(gap),
        }
        if resume != Resume::Fresh {
            let no_content = opening.no_content;
            self.beginning = Some(Box::new(StartSummary { resume, no_content, ..StartSummary::default() }));
        }
        if self.is_loading() {
            let loading_at = self.cursor_at(self.progress.position());
            if let Some(StartSummary { resume: Resume::Gap(gap), .. }) = self.beginning.as_deref_mut() {
                gap.resumed_at = loading_at.unwrap_or(gap.resumed_at);
            }
        } else if opening.is_over && !opening.no_content {
            self.send_finishes();
        }
        true
    }

    /// Records how a reader would begin, for a response without a body; returns `false` if the history was
    /// rewritten since that was decided.
    pub(crate) fn describe(&mut self, opening: StartPoint, requested: &Requested) -> bool {
        self.progress.apply_epochs(opening.version);
        let Some(resumed_at) = self.cursor_at(opening.position) else { return false };
        let mut resume = opening.resume(requested, resumed_at);
        if let Resume::Gap(gap) = &mut resume
            && self.has_snapshots()
        {
            gap.resumed_at = self.newest().unwrap_or(resumed_at);
        }
        let no_content = opening.no_content;
        self.beginning = Some(Box::new(StartSummary { resume, no_content, ..StartSummary::default() }));
        true
    }

    /// Ends the answer to a probe, which reads nothing.
    pub(in crate::hub) fn end_probe(&mut self) {
        if !self.is_refused() {
            self.end(EndReason::Left);
        }
        self.beginning.get_or_insert_default().is_probe = true;
    }
}
