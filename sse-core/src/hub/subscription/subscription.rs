use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
};

use futures_core::Stream;

use super::{frames::Frames, holding::WorkKind, start::StartPoint};
use crate::hub::{
    EndReason, Hub,
    feeds::feed::Feed,
    options::extras::ReaderExtras,
    readers::reader::Reader,
    window::attach::{Attachment, View},
};
use crate::{
    history::Pattern,
    panic::Panic,
    request::{Cors, Negotiated},
    resume::{Cursor, Gap, Requested, Resume},
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
    pub(in crate::hub) hub: Hub,
    pub(in crate::hub) feed: Arc<Feed>,
    pub(in crate::hub) reader: Arc<Reader>,
    /// Empty while no task waits.
    pub(in crate::hub) slot: Slot,
    pub(in crate::hub) position: u64,
    /// Topics that match a wildcard but have no ring in the feed were evicted up to this position.
    pub(in crate::hub) forgotten_floor: u64,
    /// The number of rows of the epoch table that the reader has applied.
    pub(in crate::hub) version: u32,
    /// The response format that was negotiated for the request.
    pub(in crate::hub) negotiated: Negotiated,
    pub(in crate::hub) signals_seen: u64,
    /// The last position announced to the client.
    pub(in crate::hub) announced: Option<u64>,
    /// How the reader began, unless it is a new reader that was admitted without an origin check.
    beginning: Option<Box<StartSummary>>,
    /// The work that the reader waits for; its `reader` holds it.
    pub(in crate::hub) work: Option<WorkKind>,
    pub(in crate::hub) extras: Option<Box<ReaderExtras>>,
}

/// How a reader began, for the code that makes the response; in a box, because most begin as new readers.
#[derive(Default)]
struct StartSummary {
    resume: Resume,
    no_content: bool,
    is_refused: bool,
    /// The cursor that a new reader gets although it is refused.
    refused_at: Option<Cursor>,
    /// The subscription answers a probe, which reads nothing.
    is_probe: bool,
    cors: Cors,
}

impl Subscription {
    pub(crate) fn new(hub: Hub, attached: &Attachment, extras: Option<Box<ReaderExtras>>) -> Self {
        let (feed, view) = (Arc::clone(&attached.feed), &attached.view);
        let wild = !feed.is_exact;
        let reader = Arc::clone(&attached.reader);
        reader.position.store(view.head, Ordering::Relaxed);
        if let Some(control) = reader.control.get() {
            control.lock().feed = Some(Arc::clone(&feed));
        }
        Self {
            hub,
            feed,
            reader,
            slot: Slot::default(),
            position: view.head,
            forgotten_floor: if wild { view.evicted } else { 0 },
            version: view.version,
            negotiated: Negotiated::default(),
            signals_seen: attached.last_signal,
            announced: None,
            beginning: None,
            work: None,
            extras,
        }
    }

    /// Creates a reader that is refused for now: 200, `retry`, end. A new reader receives the cursor `at`, if
    /// there is one.
    pub(crate) fn refused(hub: Hub, end: EndReason, at: Option<Cursor>) -> Self {
        let attached = hub.window().peek(Box::default(), Arc::new(Reader::new(hub.clock())));
        let mut subscription = Self::new(hub, &attached, None);
        subscription.end(end);
        let beginning = subscription.beginning.get_or_insert_default();
        (beginning.is_refused, beginning.refused_at) = (true, at);
        subscription
    }

    /// Creates a reader for which the application failed: it is refused, and an `EventSource` reconnects as
    /// after any error.
    pub(crate) fn failed(hub: Hub, panic: Panic, negotiated: Negotiated, cors: Cors) -> Self {
        let mut subscription = Self::refused(hub, EndReason::Error(Arc::new(panic)), None);
        subscription.negotiated = negotiated;
        subscription.allow(cors);
        subscription
    }

    /// Begins at `opening`; returns `false` if the history was rewritten since that was decided.
    pub(crate) fn open(&mut self, opening: StartPoint, view: &View, requested: &Requested) -> bool {
        self.version = opening.version;
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
            Resume::Exact { after } | Resume::AtTail { after } => self.announced = Some(after.seq()),
            Resume::Gap(gap) => self.send_gap(gap),
        }
        if resume != Resume::Fresh {
            let no_content = opening.no_content;
            self.beginning = Some(Box::new(StartSummary { resume, no_content, ..StartSummary::default() }));
        }
        if self.is_loading() {
            let loading_at = self.cursor_at(self.position);
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
        self.version = opening.version;
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

    /// Returns the frames as a `Stream`, for combinators.
    ///
    /// As with [`next`](Subscription::next), the first bytes of a subscription's response are not among them: a
    /// new reader's first cursor, which [`cursor`](Subscription::cursor) returns.
    pub fn frames(self) -> impl Stream<Item = Frame> + Send + Sync {
        Frames::new(self)
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

    pub(crate) fn hub(&self) -> &Hub {
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

    pub(in crate::hub) fn move_to(&mut self, position: u64) {
        self.position = position;
        self.reader.position.store(position, Ordering::Relaxed);
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
        #[cfg(feature = "compress")]
        self.leave_blocks();
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
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Converts a number of rows of the epoch table, which never has many.
pub(in crate::hub) fn short(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
