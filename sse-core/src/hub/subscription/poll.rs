//! Polls for what a reader gets next.

use std::{
    sync::atomic::Ordering,
    task::{Context, Poll},
};

use super::subscription::Subscription;
use crate::hub::{
    end::EndReason,
    feeds::candidates::{Candidates, batch_bytes},
    feeds::chunk::{CHUNK_BYTES, Chunk},
    feeds::feed::FeedInner,
    options::permission::{Access, FullAccess},
    readers::holding::Outcome,
    window::ring::Evicted,
};
use crate::waiters::Slot;

/// The number of bytes that a response takes at once.
pub(crate) const MOST: usize = CHUNK_BYTES;

/// The number of polls without a frame that passes the filter, after which other tasks may run.
const MAX_FILTERED_POLLS: usize = 8;

impl Subscription {
    /// Returns everything that is pending, up to `max` bytes, or why the stream ends.
    #[inline]
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Chunk, EndReason>> {
        let announced = self.progress.announced();
        let polled = self.poll_permitted(cx, max);
        // A poll that began before a lease was revoked may have found events published after that.
        if let Some(extras) = &mut self.extras
            && polled.is_ready()
            && extras.ended.is_none()
            && extras.is_lease_over()
        {
            extras.ended = Some(EndReason::Expired);
            self.progress.take_back(announced);
            return Poll::Ready(Err(EndReason::Expired));
        }
        polled
    }

    #[inline]
    fn poll_permitted(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Chunk, EndReason>> {
        self.reader.asked_at.store(self.hub.clock(), Ordering::Relaxed);
        if let Some(control) = self.reader.control.get() {
            control.arm(cx.waker());
        }
        let mut filtered = 0;
        loop {
            if let Some(extras) = &mut self.extras {
                if let Some(end) = &extras.ended {
                    return Poll::Ready(Err(end.clone()));
                }
                if extras.is_over(cx) {
                    extras.ended = Some(EndReason::Expired);
                    continue;
                }
            }
            if self.reader.has_commands() {
                match self.run_commands() {
                    Some(chunk) => return Poll::Ready(Ok(chunk)),
                    None => continue,
                }
            }
            if self.hub.window().version() != self.progress.epochs() {
                self.check_for_fork();
                continue;
            }
            if self.has_frames() {
                return Poll::Ready(Ok(self.take_pending(max)));
            }
            if self.is_failed() {
                continue;
            }
            if filtered >= MAX_FILTERED_POLLS {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.has_backfill() {
                self.read_backfill();
                filtered += 1;
                continue;
            }
            if self.work.is_some() {
                match self.poll_work(cx) {
                    Poll::Ready(Some(Outcome::Replay(replayed))) => self.take_replayed(replayed),
                    Poll::Ready(Some(Outcome::Snapshot(loaded))) => self.take_snapshot(loaded),
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                }
                continue;
            }
            let reason = match self.access() {
                Access::Full(access) => match self.poll_window(cx, max, access) {
                    Ok(chunk) => return Poll::Ready(Ok(chunk)),
                    Err(reason) => reason,
                },
                Access::Filtered(filter) => match self.poll_candidates(cx, batch_bytes(&filter)) {
                    Ok(candidates) => {
                        self.filter_events(&filter, candidates);
                        filtered += 1;
                        continue;
                    }
                    Err(reason) => reason,
                },
            };
            match reason {
                NoEvents::Behind if self.must_gather() => match self.poll_gathering(cx) {
                    Poll::Ready(Some(evicted)) => self.fall_back(evicted),
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                },
                NoEvents::Behind => self.fall_back(self.evicted()),
                NoEvents::PollAgain => {}
                NoEvents::Finished if self.send_missed_ends() => {}
                NoEvents::Finished if self.owes_checkpoint() => self.send_checkpoint(),
                NoEvents::Finished => self.end(EndReason::Finished),
                NoEvents::Pending => return Poll::Pending,
            }
        }
    }

    /// Returns what follows for a reader that shares chunks with others.
    #[inline(always)]
    fn poll_window(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
        access: FullAccess,
    ) -> Result<Chunk, NoEvents> {
        let shares_gzip = self.shares_gzip();
        if shares_gzip && let Some(polled) = self.poll_gzip(access) {
            return polled;
        }
        let mut feed = self.feed.lock();
        self.check(&feed)?;
        match feed.chunk_after(self.progress.position(), self.ignored_evictions(), max, access) {
            Err(Evicted) => return Err(NoEvents::Behind),
            // It arrived since the blocks were polled.
            Ok(Some(_)) if shares_gzip => return Err(NoEvents::PollAgain),
            Ok(Some(chunk)) => {
                drop(feed);
                self.progress.announce(chunk.to);
                self.move_to(chunk.to);
                return Ok(chunk);
            }
            Ok(None) => {}
        }
        if let Some(chunk) = feed.backlog.signals_after(self.signals_seen, max, access) {
            if shares_gzip {
                return Err(NoEvents::PollAgain);
            }
            self.signals_seen = chunk.to;
            return Ok(chunk);
        }
        // While the feed is locked, none of its events lie between its newest frame and the head.
        self.progress.pass_to(self.hub.window().head(), &self.reader);
        Err(feed.finish_or_wait(self.feed.is_exact, &mut self.slot, cx))
    }

    /// Returns what follows for a reader that decides about each event by itself, about `max` bytes of it.
    fn poll_candidates(&mut self, cx: &mut Context<'_>, max: usize) -> Result<Candidates, NoEvents> {
        let mut feed = self.feed.lock();
        self.check(&feed)?;
        match feed.backlog.candidates_after(self.progress.position(), self.ignored_evictions(), max) {
            Err(Evicted) => return Err(NoEvents::Behind),
            Ok(events) if !events.is_empty() => return Ok(Candidates::Events(events)),
            Ok(_) => {}
        }
        let signals: Vec<_> = feed.backlog.unseen_signals(self.signals_seen).cloned().collect();
        if !signals.is_empty() {
            self.signals_seen = feed.backlog.last_signal();
            return Ok(Candidates::Signals(signals));
        }
        // While the feed is locked, none of its events lie between its newest frame and the head.
        self.progress.pass_to(self.hub.window().head(), &self.reader);
        Err(feed.finish_or_wait(self.feed.is_exact, &mut self.slot, cx))
    }

    /// Returns whether the reader may poll its feed.
    pub(in crate::hub) fn check(&self, feed: &FeedInner) -> Result<(), NoEvents> {
        if self.reader.has_commands() || feed.version != self.progress.epochs() {
            return Err(NoEvents::PollAgain);
        }
        if self.forgotten_floor > self.progress.position() { Err(NoEvents::Behind) } else { Ok(()) }
    }

    /// Returns the frames to be sent before the next poll, as many as fit into `max` bytes, but at least one
    /// frame.
    fn take_pending(&mut self, max: usize) -> Chunk {
        let (frames, ends_at) = self.take_frames(max);
        let position = self.progress.position();
        let chunk = Chunk::of(position, &frames);
        if chunk.to > position {
            self.progress.announce(chunk.to);
        }
        let ends_at = ends_at.unwrap_or(chunk.to).max(chunk.to);
        self.move_to(ends_at.max(position));
        chunk
    }
}

impl FeedInner {
    /// Registers for the next event, under the lock of the poll that found none.
    fn finish_or_wait(&mut self, is_exact: bool, slot: &mut Slot, cx: &Context<'_>) -> NoEvents {
        if is_exact && self.finished == self.backlog.rings.len() {
            return NoEvents::Finished;
        }
        self.wait(slot, cx.waker());
        NoEvents::Pending
    }
}

/// The reason why a poll of the window found no events.
pub(in crate::hub) enum NoEvents {
    /// Requested events are no longer in the window.
    Behind,
    /// The reader has a command to run, or the epoch table changed meanwhile: poll again.
    PollAgain,
    /// Every topic is finished, and the reader has all events.
    Finished,
    /// Nothing follows yet; the reader's task will be woken.
    Pending,
}
