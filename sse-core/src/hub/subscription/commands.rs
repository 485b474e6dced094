//! Runs the commands that were sent to a reader.

use std::sync::Arc;

use super::subscription::Subscription;
use crate::hub::{
    end::EndReason, feeds::chunk::Chunk, options::filter::PermittedFrame, options::start::Start,
    readers::commands::ReaderFeed, readers::reader::Closed,
};
use crate::{history::Pattern, waiters::wake, wire::write_retry};

impl Subscription {
    /// Ends the reader, or runs its commands; the returned chunk is sent at once.
    pub(in crate::hub) fn run_commands(&mut self) -> Option<Chunk> {
        if let Some(by) = self.reader.ended() {
            self.end(match by {
                Closed::Disconnect => EndReason::Disconnected,
                Closed::Replace => EndReason::Replaced,
                Closed::Stall => EndReason::Stalled,
            });
            return None;
        }
        self.reader.unmark_commands();
        let control = self.reader.control.get()?;
        let (retry, topics, also) = {
            let mut commands = control.lock();
            (commands.retry.take(), commands.topics.take(), std::mem::take(&mut commands.also))
        };
        if let Some(topics) = topics {
            self.switch(topics, also);
        }
        retry.map(|delay| {
            let mut line = Vec::with_capacity(16);
            write_retry(&mut line, delay);
            let (from, to) = (self.progress.position(), self.progress.position());
            Chunk { from, to, bytes: line.into(), events: 0, retry: Some(delay), at: None }
        })
    }

    /// Continues at the same position with other topics: rule 6.
    fn switch(&mut self, patterns: Box<[Pattern]>, also: Vec<(Vec<Pattern>, Start)>) {
        self.leave_feed();
        let attached = self.hub.window().attach(patterns, Arc::clone(&self.reader));
        let (feed, mut view) = (attached.feed, attached.view);
        while view.version != self.progress.epochs() {
            // A fork may have removed the position.
            self.check_for_fork();
            view = self.hub.window().view(&feed);
        }
        self.feed = feed;
        if let Some(control) = self.reader.control.get() {
            control.lock().feed = Some(Arc::clone(&self.feed) as Arc<dyn ReaderFeed>);
        }
        self.forgotten_floor = if self.feed.is_exact { 0 } else { view.evicted };
        self.signals_seen = attached.last_signal;
        // Frames read ahead for the old topics are dropped, because the new ones are read again; notices stay.
        self.cut_frames(self.progress.position());
        let extras = self.extras.get_or_insert_default();
        extras.ignored_evictions = Box::default();
        extras.joined_at = Some(self.progress.position());
        for (patterns, start) in also {
            self.backfill(patterns, start);
        }
        if self.feed.is_exact && !view.is_known {
            self.query_finished();
        }
        self.begin_snapshot(None);
    }

    /// Sends the end of topics that were already finished when the reader switched to them or got their state:
    /// once, without ids, before the reader ends.
    pub(in crate::hub) fn send_missed_ends(&mut self) -> bool {
        let joined_at = self.extras.as_mut().and_then(|extras| extras.joined_at.take());
        let Some(joined_at) = joined_at else { return false };
        let (filter, position) = (self.filter(), self.progress.position());
        let rings = self.feed.lock().backlog.rings.clone();
        let mut has_ends = false;
        for ring in rings {
            let end = ring.end().filter(|(cursor, _)| cursor.seq() <= joined_at);
            let permitted = end.and_then(|(cursor, frame)| {
                self.permit(&filter, std::slice::from_ref(&ring.topic), &frame, cursor.seq())
            });
            has_ends |= self.hold(permitted.map(PermittedFrame::without_id), position);
        }
        has_ends
    }

    /// Asks the history which topics are finished: some may have been before this process received anything of them.
    fn query_finished(&self) {
        let (Some(history), Ok(runtime)) =
            (self.hub.history().cloned(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (hub, feed) = (Arc::clone(&self.hub), Arc::clone(&self.feed));
        runtime.spawn(async move {
            match history.bounds(&feed.patterns).await {
                Ok(mut bounds) => {
                    hub.merge_epochs(&mut bounds.epochs);
                    hub.window().merge_finished(&feed, &bounds.epochs, &bounds.finished);
                    let waiting = feed.lock().waiters.take();
                    wake(waiting);
                }
                Err(error) => tracing::warn!(%error, "the history does not report which topics are finished"),
            }
        });
    }
}
