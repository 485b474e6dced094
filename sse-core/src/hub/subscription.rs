use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    slice,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    End, Hub, Start,
    ahead::Ahead,
    feed::{CHUNK_BYTES, Chunk, Evicted, Feed, Reader},
    labels::Labelled,
    notice,
    replay::{self, Replayed},
    terms::Extras,
    window::Attached,
};
use crate::{
    history::Pattern,
    resume::{Cursor, Decision, Gap, GapReason, Negotiated, Requested, Resume},
    waiters::Slot,
    wire::Frame,
};

/// How many looks that let nothing through a reader takes before other tasks may run.
const SIFTED_AT_ONCE: usize = 8;

/// One reader of a hub: a position, and what it asked for.
///
/// Give it to `Sse::new`, or take its frames one by one with [`next`](Subscription::next). It is not a `Stream`
/// itself, because a response made of it shares its chunks with other readers, answers 204 for a finished topic and
/// carries the gap in a header; [`frames`](Subscription::frames) is one.
#[must_use = "a subscription does nothing until it is read"]
pub struct Subscription {
    pub(super) hub: Hub,
    pub(super) feed: Arc<Feed>,
    pub(super) reader: Arc<Reader>,
    /// Void while no task waits.
    slot: Slot,
    pub(super) position: u64,
    /// Topics that match a wildcard and that the feed does not list were evicted up to here.
    pub(super) unlisted: u64,
    /// How many rows of the epoch table it has taken into account.
    pub(super) version: u32,
    no_content: bool,
    is_refused: bool,
    /// How its request wants to be answered.
    pub(super) negotiated: Negotiated,
    pub(super) signals_seen: u64,
    /// The last place that the reader was told.
    pub(super) told: Option<u64>,
    /// How it began, unless it is a new reader.
    resume: Option<Box<Resume>>,
    /// What is said before the next look.
    pub(super) ahead: Ahead,
    /// A read of the history under way. The lock is never contended: it makes the future `Sync`.
    pub(super) replay: Option<Box<Mutex<ReplayFuture>>>,
    pub(super) extras: Option<Box<Extras>>,
}

pub(super) type ReplayFuture = Pin<Box<dyn Future<Output = Replayed> + Send>>;

/// Where a reader begins.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) decision: Decision,
    pub(crate) position: u64,
    /// What each ring had evicted, if the reader asked for what is kept.
    pub(crate) forgiven: Option<Box<[u64]>>,
    /// Everything asked for is finished, and the reader has it all.
    pub(crate) no_content: bool,
    /// Everything asked for is finished before the position.
    pub(crate) is_over: bool,
    /// Nothing asked for follows the position yet.
    pub(crate) at_tail: bool,
    /// How many rows of the epoch table were taken into account.
    pub(crate) version: usize,
}

impl Subscription {
    pub(crate) fn new(hub: Hub, attached: &Attached, extras: Option<Box<Extras>>) -> Self {
        let feed = Arc::clone(&attached.feed);
        let wild = !feed.is_exact;
        let reader = Arc::clone(&attached.reader);
        reader.position.store(attached.head, Ordering::Relaxed);
        if let Some(control) = reader.control.get() {
            control.lock().feed = Some(Arc::clone(&feed));
        }
        Self {
            hub,
            feed,
            reader,
            slot: Slot::default(),
            position: attached.head,
            unlisted: if wild { attached.evicted } else { 0 },
            version: short(attached.version),
            no_content: false,
            is_refused: false,
            negotiated: Negotiated::default(),
            signals_seen: attached.last_signal,
            told: None,
            resume: None,
            ahead: Ahead::default(),
            replay: None,
            extras,
        }
    }

    /// A reader that is told to come back: 200, `retry`, end.
    pub(crate) fn refused(hub: Hub, end: End) -> Self {
        let attached = hub.window().attach(Box::default(), Arc::new(Reader::new(hub.clock())));
        let mut subscription = Self::new(hub, &attached, None);
        subscription.end(end);
        subscription.is_refused = true;
        subscription
    }

    pub(crate) fn open(&mut self, opening: Opening, requested: &Requested) {
        let resume = {
            let state = self.hub.window().lock();
            opening.resume(requested, |seq| state.cursor_at(seq))
        };
        self.version = short(opening.version);
        self.no_content = opening.no_content;
        if let Some(forgiven) = opening.forgiven {
            self.extras.get_or_insert_default().forgiven = forgiven;
            self.unlisted = 0;
        }
        self.move_to(opening.position);
        match &resume {
            Resume::Fresh => {
                self.begin_snapshot(None);
            }
            Resume::Exact { after } | Resume::AtTail { after } => self.told = Some(after.seq()),
            Resume::Gap(gap) => self.tell_gap(gap),
        }
        self.resume = (resume != Resume::Fresh).then(|| Box::new(resume));
        if self.is_loading() {
            if let Some(Resume::Gap(gap)) = self.resume.as_deref_mut() {
                gap.resumed_at = self.hub.window().lock().cursor_at(self.position);
            }
        } else if opening.is_over && !opening.no_content {
            self.tell_finishes();
        }
    }

    /// How it began, to be looked at before the response is made.
    #[must_use]
    pub fn resume(&self) -> &Resume {
        self.resume.as_deref().unwrap_or(&Resume::Fresh)
    }

    /// The gap with which it began, if any.
    #[must_use]
    pub fn gap(&self) -> Option<&Gap> {
        match self.resume() {
            Resume::Gap(gap) => Some(gap),
            _ => None,
        }
    }

    /// Why it was refused, if it was: it reads nothing, and as a response it tells the reader to come back.
    ///
    /// By a limit ([`End::Limit`], [`End::Occupied`]), a lease that is over ([`End::Expired`]), a shutdown, or a history
    /// that does not answer ([`End::Unavailable`]). An `EventSource`, which an error would stop for good, is answered
    /// 200, `retry`, end; a client that cannot be one ([`LastEventId::is_event_source`](crate::LastEventId::is_event_source))
    /// 503 with `Retry-After`.
    #[must_use]
    pub fn refusal(&self) -> Option<&End> {
        self.ended().filter(|_| self.is_refused)
    }

    /// The next frame; `None` when every topic is finished, the hub shuts down or ended this reader.
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

    /// The frames as a `Stream`, for combinators.
    pub fn frames(self) -> impl Stream<Item = Frame> + Send + Sync {
        Frames { subscription: self, shutdown: None }
    }

    /// The reader needs no body: it has everything of topics that are finished.
    pub(crate) fn is_no_content(&self) -> bool {
        self.no_content
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) fn negotiated(&self) -> Negotiated {
        self.negotiated
    }

    /// Everything that is pending, up to `most` bytes, or why there will be nothing more.
    #[inline]
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<Result<Chunk, End>> {
        self.reader.asked_at.store(self.hub.clock(), Ordering::Relaxed);
        if let Some(control) = self.reader.control.get() {
            control.arm(cx.waker());
        }
        let mut sifted = 0;
        loop {
            if let Some(extras) = &mut self.extras {
                if let Some(end) = &extras.ended {
                    return Poll::Ready(Err(end.clone()));
                }
                if extras.is_over(cx) {
                    extras.ended = Some(End::Expired);
                    continue;
                }
            }
            if self.reader.is_called() {
                match self.heed() {
                    Some(chunk) => return Poll::Ready(Ok(chunk)),
                    None => continue,
                }
            }
            if !self.ahead.is_empty() {
                return Poll::Ready(Ok(self.take_ahead(most)));
            }
            if short(self.hub.window().version()) != self.version {
                self.look_for_fork();
                continue;
            }
            if self.is_loading() {
                if self.poll_snapshot(cx).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            if self.replay.is_some() {
                if self.poll_replay(cx).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            match self.look(cx, most) {
                Look::Chunk(chunk) => return Poll::Ready(Ok(chunk)),
                Look::Events(events) => {
                    self.sift(events);
                    sifted += 1;
                    if sifted >= SIFTED_AT_ONCE && self.ahead.is_empty() {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Look::Signals(signals) => self.sift_signals(signals),
                Look::Behind if self.hub.history().is_some() => self.start_replay(),
                Look::Behind => self.trimmed(self.evicted()),
                Look::Called => {}
                Look::Ended(End::Finished) if self.tell_missed_ends() => {}
                Look::Ended(End::Finished) if self.owes_checkpoint() => {
                    let checkpoint = self.checkpoint_at(self.position);
                    self.say(checkpoint);
                }
                Look::Ended(end) => self.end(end),
                Look::Nothing => return Poll::Pending,
            }
        }
    }

    /// A checkpoint, if the position has moved past what the reader was told and nothing is pending: rule 9.
    pub(crate) fn checkpoint(&mut self) -> Option<Frame> {
        if !self.ahead.is_empty() || self.replay.is_some() || self.ended().is_some() || self.is_loading() {
            return None;
        }
        {
            let feed = self.feed.lock();
            if feed.last > self.position || feed.last_signal() > self.signals_seen {
                return None;
            }
            self.position = self.position.max(self.hub.window().head());
            self.reader.position.store(self.position, Ordering::Relaxed);
        }
        if self.told == Some(self.position) {
            return None;
        }
        let cursor = {
            let state = self.hub.window().lock();
            // A fork since the look would make it another place.
            (short(state.epochs.rows().len()) == self.version).then(|| state.cursor_at(self.position))?
        };
        self.told = Some(self.position);
        Some(notice::checkpoint(cursor))
    }

    /// Puts the earlier state of topics before everything else, without ids, so that positions only increase.
    pub(crate) fn tell_state(&mut self, patterns: &[Pattern], start: Start) {
        let most = match start {
            Start::Live => return,
            Start::Earliest => usize::MAX,
            Start::Latest(count) => count,
        };
        let mut events: Vec<Labelled> = Vec::new();
        for ring in &self.feed.lock().rings {
            if patterns.iter().any(|pattern| pattern.matches(&ring.topic)) {
                let inner = ring.lock();
                let earlier = inner.after(0).take_while(|kept| kept.seq <= self.position);
                events.extend(earlier.map(|kept| kept.labelled(&ring.topic)));
            }
        }
        events.sort_unstable_by_key(|event| event.seq);
        events.dedup_by_key(|event| event.seq);
        events.retain(|event| self.allows(event.labels.as_slice(), &event.frame));
        let skip = events.len().saturating_sub(most);
        for event in events.iter().skip(skip) {
            self.say(Frame::block(notice::without_id(&event.frame), None));
        }
    }

    #[inline(always)]
    fn look(&mut self, cx: &mut Context<'_>, most: usize) -> Look {
        let mut feed = self.feed.lock();
        if self.reader.is_called() {
            return Look::Called;
        }
        if self.unlisted > self.position {
            return Look::Behind;
        }
        if let Some(reach) = self.extras.as_ref().and_then(|extras| extras.reach()) {
            match feed.candidates_after(self.position, self.forgiven(), reach) {
                Err(Evicted) => return Look::Behind,
                Ok(events) if !events.is_empty() => return Look::Events(events),
                Ok(_) => {}
            }
            let signals: Vec<_> = feed.unseen_signals(self.signals_seen).cloned().collect();
            if !signals.is_empty() {
                self.signals_seen = feed.last_signal();
                return Look::Signals(signals);
            }
        }
        match feed.chunk_after(self.position, self.forgiven(), most) {
            Err(Evicted) => return Look::Behind,
            Ok(Some(chunk)) => {
                drop(feed);
                self.told = Some(chunk.to);
                self.move_to(chunk.to);
                return Look::Chunk(chunk);
            }
            Ok(None) => {}
        }
        if let Some(chunk) = feed.signals_after(self.signals_seen, most) {
            self.signals_seen = chunk.to;
            return Look::Chunk(chunk);
        }
        self.position = self.position.max(self.hub.window().head());
        self.reader.position.store(self.position, Ordering::Relaxed);
        if self.feed.is_exact && feed.finished == feed.rings.len() {
            return Look::Ended(End::Finished);
        }
        feed.waiters.register(&mut self.slot, cx.waker());
        Look::Nothing
    }

    /// Rule 3: a reader beyond a fork is told so as its next event; the others go on.
    fn look_for_fork(&mut self) {
        let (fork, rows, cursor) = {
            let state = self.hub.window().lock();
            let fork = state.epochs.fork_since(self.version as usize).filter(|fork| *fork <= self.position);
            let resume = fork.map(|fork| fork.saturating_sub(1));
            (resume, state.epochs.rows().len(), resume.map(|seq| state.cursor_at(seq)))
        };
        self.version = short(rows);
        if let (Some(position), Some(resumed_at)) = (fork, cursor) {
            self.replay = None;
            self.ahead.cut(position);
            self.move_to(position);
            self.tell_gap(&Gap { reason: GapReason::Fork, requested: None, resumed_at, missed: None });
        }
    }

    fn trimmed(&mut self, resume: u64) {
        let missed = Some(resume.saturating_sub(self.position));
        let resumed_at = self.hub.window().lock().cursor_at(resume);
        self.move_to(resume);
        self.tell_gap(&Gap { reason: GapReason::Trimmed, requested: None, resumed_at, missed });
    }

    fn evicted(&self) -> u64 {
        self.feed.lock().evicted().max(self.unlisted)
    }

    fn start_replay(&mut self) {
        if let Some(history) = self.hub.history().cloned() {
            let until = self.evicted();
            let epochs = self.hub.window().lock().epochs.clone();
            let extras = self.extras.as_ref();
            let sieve = extras.and_then(|extras| extras.sieve.clone()).unwrap_or_default();
            let next_at = extras.and_then(|extras| extras.next_replay_at);
            let pace = self.hub.pace().clone();
            let feed = Arc::clone(&self.feed);
            let read = replay::read(history, feed, sieve, pace, next_at, epochs, self.position..until);
            self.replay = Some(Box::new(Mutex::new(Box::pin(read))));
        }
    }

    fn poll_replay(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(replay) = &mut self.replay else { return Poll::Ready(()) };
        let replay = replay.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Poll::Ready(replayed) = replay.as_mut().poll(cx) else { return Poll::Pending };
        self.replay = None;
        match replayed {
            Replayed::Read { frames, through, next_at } => {
                if next_at.is_some() {
                    self.extras.get_or_insert_default().next_replay_at = next_at;
                }
                if frames.is_empty() {
                    self.move_to(through);
                } else {
                    self.ahead.extend(frames, through);
                }
            }
            Replayed::Trimmed { oldest } => self.trimmed(oldest.saturating_sub(1).max(self.position)),
            Replayed::Failed(error) => {
                tracing::warn!(%error, "the history cannot be read; the reader is told to come back");
                self.end(End::Unavailable);
            }
        }
        Poll::Ready(())
    }

    /// What is said before the next look, as much as fits into `most` bytes, but at least one frame.
    fn take_ahead(&mut self, most: usize) -> Chunk {
        let (frames, through) = self.ahead.take(most);
        let chunk = Chunk::of(self.position, &frames);
        if chunk.to > self.position {
            self.told = Some(chunk.to);
        }
        self.move_to(through.map_or(chunk.to, |through| through.max(chunk.to)));
        chunk
    }

    /// Says a notice at the present position before the next look.
    pub(super) fn say(&mut self, frame: Frame) {
        self.ahead.push(self.position, frame);
    }

    pub(super) fn move_to(&mut self, position: u64) {
        self.position = position;
        self.reader.position.store(position, Ordering::Relaxed);
        if let Some(extras) = &mut self.extras
            && !extras.forgive_after(position)
        {
            self.extras = None;
        }
    }

    /// What each of the feed's rings had evicted when a reader without a cursor asked for what is kept: no gap.
    fn forgiven(&self) -> &[u64] {
        self.extras.as_ref().map_or(&[], |extras| &extras.forgiven)
    }

    pub(super) fn end(&mut self, end: End) {
        self.extras.get_or_insert_default().ended = Some(end);
    }

    fn ended(&self) -> Option<&End> {
        self.extras.as_ref()?.ended.as_ref()
    }

    fn checkpoint_at(&mut self, position: u64) -> Frame {
        self.told = Some(position);
        notice::checkpoint(self.hub.window().lock().cursor_at(position))
    }

    fn tell_gap(&mut self, gap: &Gap) {
        self.hub.window().counters.count_gap(gap.reason);
        if self.begin_snapshot(Some(gap)) {
            return;
        }
        self.told = Some(gap.resumed_at.seq());
        self.say(notice::gap(gap));
    }

    /// Rule 13: a new reader of finished topics is told so.
    fn tell_finishes(&mut self) {
        let mut finishes: Vec<(Cursor, Frame)> = Vec::new();
        let rings = self.feed.lock().rings.clone();
        for ring in rings {
            if let Some((cursor, frame)) = ring.end()
                && self.allows(slice::from_ref(&ring.topic), &frame)
            {
                finishes.push((cursor, frame));
            }
        }
        finishes.sort_by_key(|(cursor, _)| cursor.seq());
        finishes.into_iter().for_each(|(_, frame)| self.say(frame));
    }
}

/// What a look at the window found.
enum Look {
    Chunk(Chunk),
    /// Events of which the reader may not get all.
    Events(Vec<Labelled>),
    /// Signals, likewise.
    Signals(Vec<Labelled>),
    /// Something asked for is no longer in the window.
    Behind,
    /// Somebody told the reader something.
    Called,
    Ended(End),
    Nothing,
}

impl Subscription {
    pub(super) fn leave_feed(&mut self) {
        let is_last = {
            let mut feed = self.feed.lock();
            feed.waiters.cancel(&mut self.slot);
            feed.remove_reader(&self.reader);
            feed.readers.is_empty()
        };
        if is_last {
            self.hub.window().detach(&self.feed);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
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

struct Frames {
    subscription: Subscription,
    shutdown: Option<crate::Shutdown>,
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        if let Poll::Ready(step) = self.subscription.poll_chunk(cx, 1) {
            return Poll::Ready(step.ok().map(|chunk| Frame::shared(chunk.bytes, chunk.retry)));
        }
        if self.shutdown.is_none() {
            self.shutdown = self.subscription.hub.shutdown().cloned();
        }
        match &mut self.shutdown {
            Some(shutdown) => Pin::new(shutdown).poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    }
}

/// A number of rows of the epoch table, of which there are never many.
pub(super) fn short(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// How much a response takes at once.
pub(crate) const MOST: usize = CHUNK_BYTES;
