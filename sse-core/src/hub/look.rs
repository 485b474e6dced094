//! What a reader gets next.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    task::{Context, Poll},
};

use super::{
    End, Subscription,
    chunk::{CHUNK_BYTES, Chunk},
    feed::Evicted,
    labels::Labelled,
    replay::{self, Replayed},
    subscription::short,
};
use crate::resume::{Gap, GapReason};

/// How much a response takes at once.
pub(crate) const MOST: usize = CHUNK_BYTES;

/// How many looks that let nothing through a reader takes before other tasks may run.
const SIFTED_AT_ONCE: usize = 8;

impl Subscription {
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
            if self.is_failed() {
                continue;
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

    #[inline(always)]
    fn look(&mut self, cx: &mut Context<'_>, most: usize) -> Look {
        #[cfg(feature = "compress")]
        let is_sharing = self.shares_blocks();
        #[cfg(feature = "compress")]
        if is_sharing && let Some(look) = self.look_for_block() {
            return look;
        }
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
            #[cfg(feature = "compress")]
            Ok(Some(_)) if is_sharing => return Look::Called,
            Ok(Some(chunk)) => {
                drop(feed);
                self.told = Some(chunk.to);
                self.move_to(chunk.to);
                return Look::Chunk(chunk);
            }
            Ok(None) => {}
        }
        if let Some(chunk) = feed.signals_after(self.signals_seen, most) {
            #[cfg(feature = "compress")]
            if is_sharing {
                return Look::Called;
            }
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

    /// Rule 3: a reader that was told something beyond a fork is told so as its next event; the others go on.
    ///
    /// One that had only passed what did not concern it holds a cursor from before the fork, which would be exact if it
    /// came back with it: it goes on before the fork as well.
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
            if self.told.is_some_and(|told| told > position) || self.is_loading() {
                self.tell_gap(&Gap { reason: GapReason::Fork, requested: None, resumed_at, missed: None });
            }
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
            Replayed::Read { frames, through, next_at, failure } => {
                if let Some(failure) = failure {
                    self.fail(failure);
                }
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
}

/// What a look at the window found.
pub(super) enum Look {
    Chunk(Chunk),
    /// Events of which the reader may not get all.
    Events(Vec<Labelled>),
    /// Signals, likewise.
    Signals(Vec<Labelled>),
    /// Something asked for is no longer in the window.
    Behind,
    /// Somebody told the reader something, or something came meanwhile: look again.
    Called,
    Ended(End),
    Nothing,
}
