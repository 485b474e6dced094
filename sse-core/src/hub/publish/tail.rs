//! Fills the window from the history, which alone numbers events.

use std::{future::poll_fn, pin::pin, sync::Weak, task::Poll, time::Duration};

use crate::hub::{shared::Shared, window::append::Append};
use crate::{
    history::{DynHistory, Entry, HistoryError, Record, TailEvent},
    wire::Frame,
};

/// How long the hub waits before it requests a new tail, after one ended or left out the same record again.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until the hub is dropped; the drop wakes this task.
pub(crate) async fn follow(hub: Weak<Shared>, history: DynHistory) {
    let mut restarted_after = None;
    loop {
        let Some(after) = hub.upgrade().map(|hub| hub.window.head()) else { return };
        let mut tail = history.tail(after);
        let ended = loop {
            let Some(restart) = hub.upgrade().map(|hub| std::sync::Arc::clone(&hub.restart_tail)) else {
                return;
            };
            let mut restarted = pin!(restart.notified());
            let next = poll_fn(|cx| match tail.as_mut().poll_next(cx) {
                Poll::Ready(change) => Poll::Ready(Some(change)),
                Poll::Pending => restarted.as_mut().poll(cx).map(|()| None),
            });
            // A hub without handles must end although its history is silent.
            let Ok(next) = tokio::time::timeout(PAUSE, next).await else { continue };
            let Some(change) = next else { break false };
            let Some(change) = change else { break true };
            let Some(hub) = hub.upgrade() else { return };
            if !hub.take(change) {
                break false;
            }
        };
        drop(tail);
        if ended {
            tracing::error!("the history's tail ended; asking for it again");
        } else if restarted_after == Some(after) {
            tracing::error!(after, "the history's tail does not report what follows; asking for it again");
        }
        if ended || restarted_after.replace(after) == Some(after) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Shared {
    /// Applies a change to the window; returns `false` if the tail must begin again.
    fn take(&self, change: Result<TailEvent, HistoryError>) -> bool {
        match change {
            Ok(TailEvent::Record(Record { cursor, topics, kind, lines })) => {
                let append = Append { topics: &topics, kind, lines: lines.into() };
                self.window.apply(append, cursor)
            }
            Ok(TailEvent::Signal(signal)) if self.runs.take_signal(&signal) => true,
            Ok(TailEvent::Signal(Entry { topics, lines, .. })) => {
                let mut block = Vec::from(lines);
                block.push(b'\n');
                self.window.signal(&topics, &Frame::block(block));
                true
            }
            // The tail continues from the window's current position.
            Ok(TailEvent::EpochTable(table)) => !self.window.learn(&table).is_rewritten,
            Ok(TailEvent::Recovered) => {
                tracing::info!("the history answers again");
                true
            }
            // The window's own retention decides what it holds, unless this process has fallen behind.
            Ok(TailEvent::Trimmed { oldest }) => {
                self.window.skip_to(oldest);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the history is away; readers get what the window has");
                true
            }
        }
    }
}
