use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use super::{extras::ReaderExtras, progress::Progress, start::StartSummary};
use crate::hub::{
    end::EndReason, feeds::feed::Feed, readers::commands::ReaderFeed, readers::holding::WorkKind,
    readers::reader::Reader, shared::Shared, window::attach::Attachment,
};
use crate::{
    history::Pattern,
    request::{Cors, Negotiated},
    resume::{Cursor, Gap, Resume},
    waiters::Slot,
    wire::Frame,
};

/// One reader of a hub: a position, and the topics and options that it asked for.
///
/// Give it to `Sse::new`, or take its frames one by one with [`next`](Subscription::next). A `Subscription` is
/// not a `Stream` itself, because a response made from it shares its chunks with other readers, answers 204 for
/// a finished topic and carries the gap in a header; [`frames`](Subscription::frames) is one.
#[must_use = "a subscription does nothing until it is read"]
pub struct Subscription {
    pub(in crate::hub) hub: Arc<Shared>,
    pub(in crate::hub) feed: Arc<Feed>,
    pub(in crate::hub) reader: Arc<Reader>,
    /// Empty while no task waits.
    pub(in crate::hub) slot: Slot,
    pub(in crate::hub) progress: Progress,
    /// Topics that match a wildcard but have no ring in the feed were evicted up to this position.
    pub(in crate::hub) forgotten_floor: u64,
    /// The response format that was negotiated for the request.
    pub(in crate::hub) negotiated: Negotiated,
    pub(in crate::hub) signals_seen: u64,
    /// How the reader began, unless it is a new reader that was admitted without an origin check.
    pub(in crate::hub) beginning: Option<Box<StartSummary>>,
    /// The work that the reader waits for; its `reader` holds it.
    pub(in crate::hub) work: Option<WorkKind>,
    pub(in crate::hub) extras: Option<Box<ReaderExtras>>,
}

impl Subscription {
    pub(crate) fn new(hub: Arc<Shared>, attached: &Attachment, extras: Option<Box<ReaderExtras>>) -> Self {
        let (feed, view) = (Arc::clone(&attached.feed), &attached.view);
        let wild = !feed.is_exact;
        let reader = Arc::clone(&attached.reader);
        let progress = Progress::new(view.head, view.version, &reader);
        if let Some(control) = reader.control.get() {
            control.lock().feed = Some(Arc::clone(&feed) as Arc<dyn ReaderFeed>);
        }
        Self {
            hub,
            feed,
            reader,
            slot: Slot::default(),
            progress,
            forgotten_floor: if wild { view.evicted } else { 0 },
            negotiated: Negotiated::default(),
            signals_seen: attached.last_signal,
            beginning: None,
            work: None,
            extras,
        }
    }

    /// Returns how the reader began; inspect it before you make the response.
    #[must_use]
    pub fn resume(&self) -> &Resume {
        self.beginning.as_ref().map_or(&Resume::Fresh, |beginning| &beginning.resume)
    }

    /// Returns the gap with which the reader began, if any.
    #[must_use]
    pub fn gap(&self) -> Option<&Gap> {
        match self.resume() {
            Resume::Gap(gap) => Some(gap),
            _ => None,
        }
    }

    /// Returns why the reader was refused, if it was. A refused reader reads nothing; its response asks the
    /// client to retry later.
    ///
    /// The reason is a limit ([`EndReason::Limit`], [`EndReason::Occupied`]), a lease that is over
    /// ([`EndReason::Expired`]), a shutdown, or a history that does not respond ([`EndReason::Unavailable`]). An
    /// `EventSource` gets 200, `retry` and the end, because an error would stop it for good; a client that
    /// cannot be one ([`SseRequest::is_event_source`](crate::SseRequest::is_event_source)) gets 503 with
    /// `Retry-After`.
    #[must_use]
    pub fn refusal(&self) -> Option<&EndReason> {
        self.ended().filter(|_| self.is_refused())
    }

    /// Returns the next frame; `None` when every topic is finished, or the hub shuts down or ended this reader.
    ///
    /// Cancel-safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut shutdown = self.hub.shutdown().cloned();
        poll_fn(|cx| {
            if let Poll::Ready(step) = self.poll_chunk(cx, 1) {
                return Poll::Ready(step.ok().map(|chunk| Frame::shared(chunk.bytes, chunk.retry)));
            }
            match &mut shutdown {
                Some(shutdown) => Pin::new(shutdown).poll(cx).map(|()| None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Returns how the reader began, in one word for logs and metrics.
    pub(crate) fn began(&self) -> &'static str {
        match self.resume() {
            _ if self.is_refused() => "refused",
            Resume::Fresh => "fresh",
            Resume::Exact { .. } => "exact",
            Resume::AtTail { .. } => "at_tail",
            Resume::Gap(_) => "gap",
        }
    }

    /// Returns the patterns of the subscription.
    pub(crate) fn topics(&self) -> &[Pattern] {
        &self.feed.patterns
    }

    pub(crate) fn principal(&self) -> Option<&str> {
        self.reader.control.get()?.principal.as_deref()
    }

    /// Returns whether the reader needs no body, because it has all events of topics that are finished.
    pub(crate) fn is_no_content(&self) -> bool {
        self.beginning.as_ref().is_some_and(|beginning| beginning.no_content)
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.beginning.as_ref().is_some_and(|beginning| beginning.is_probe)
    }

    pub(in crate::hub) fn is_refused(&self) -> bool {
        self.beginning.as_ref().is_some_and(|beginning| beginning.is_refused)
    }

    pub(in crate::hub) fn refused_at(&self) -> Option<Cursor> {
        self.beginning.as_ref()?.refused_at
    }

    pub(crate) fn hub(&self) -> &Shared {
        &self.hub
    }

    pub(crate) fn cors(&self) -> Option<&Cors> {
        self.beginning.as_ref().map(|beginning| &beginning.cors)
    }

    /// Records the CORS headers for the reader's page, after its request was checked.
    pub(in crate::hub) fn allow(&mut self, cors: Cors) {
        if !cors.is_empty() {
            self.beginning.get_or_insert_default().cors = cors;
        }
    }

    pub(crate) fn negotiated(&self) -> Negotiated {
        self.negotiated
    }

    /// Moves to another position, and forgets the evictions that are ignored up to it.
    pub(in crate::hub) fn move_to(&mut self, position: u64) {
        self.progress.move_to(position, &self.reader);
        if let Some(extras) = &mut self.extras
            && !extras.expire_ignored(position)
        {
            self.extras = None;
        }
    }

    /// Returns what each of the feed's rings had evicted when a reader without a cursor asked for stored events:
    /// not a gap.
    pub(in crate::hub) fn ignored_evictions(&self) -> &[u64] {
        self.extras.as_ref().map_or(&[], |extras| &extras.ignored_evictions)
    }

    pub(in crate::hub) fn end(&mut self, end: EndReason) {
        self.extras.get_or_insert_default().ended = Some(end);
    }

    pub(in crate::hub) fn ended(&self) -> Option<&EndReason> {
        self.extras.as_ref()?.ended.as_ref()
    }

    pub(in crate::hub) fn leave_feed(&mut self) {
        let is_last = {
            let mut feed = self.feed.lock();
            feed.waiters.cancel(&mut self.slot);
            feed.remove_reader(&self.reader);
            feed.readers.is_empty()
        };
        self.leave_gzip();
        if is_last {
            self.hub.window().detach(&self.feed);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.reader.holding.free(&self.hub.window().counters);
        self.hub.registry().leave(&self.reader);
        self.leave_feed();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("topics", &self.feed.patterns)
            .field("position", &self.progress.position())
            .finish_non_exhaustive()
    }
}
