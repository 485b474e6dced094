use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use super::{
    publish::runs::Runs,
    readers::{reader::Closed, registry::Registry},
    replay_limits::ReplayLimits,
    stats::Stats,
    window::window::Window,
};
use crate::{
    Shutdown,
    history::{DynHistory, Entry, EntryKind, HistoryError, HistoryErrorKind, Topic},
    resume::{EpochTable, EpochsVersion},
    waiters::wake,
    wire::Frame,
};

/// The maximum number of signals waiting to be sent to the history.
pub(in crate::hub) const SIGNALS: usize = 1_024;

/// What all handles, publishers and readers of a hub share: the window, the history, the readers and the limits.
pub(crate) struct Shared {
    pub(in crate::hub) window: Window,
    pub(in crate::hub) history: Option<DynHistory>,
    pub(in crate::hub) signals: Option<mpsc::Sender<Entry>>,
    pub(in crate::hub) restart_tail: Arc<Notify>,
    pub(in crate::hub) shutdown: Option<Shutdown>,
    pub(in crate::hub) max_topics: usize,
    pub(in crate::hub) registry: Registry,
    pub(in crate::hub) replay_limits: ReplayLimits,
    pub(in crate::hub) runs: Runs,
    pub(in crate::hub) stalled_after: Duration,
    /// Milliseconds since the start, updated at each sweep: reading it costs nothing.
    pub(in crate::hub) clock: AtomicU64,
    pub(in crate::hub) sweeper: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    pub(in crate::hub) fn window(&self) -> &Window {
        &self.window
    }

    pub(in crate::hub) fn history(&self) -> Option<&DynHistory> {
        self.history.as_ref()
    }

    /// Returns the handle that ends the hub's streams, if one was set.
    pub(crate) fn shutdown(&self) -> Option<&Shutdown> {
        self.shutdown.as_ref()
    }

    pub(in crate::hub) fn max_topics(&self) -> usize {
        self.max_topics
    }

    pub(in crate::hub) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(in crate::hub) fn replay_limits(&self) -> &ReplayLimits {
        &self.replay_limits
    }

    pub(in crate::hub) fn clock(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Sends a signal to the readers connected now; returns the number of readers in this process.
    pub(in crate::hub) fn signal(
        &self,
        topics: Vec<Topic>,
        mut lines: Vec<u8>,
    ) -> Result<usize, HistoryError> {
        let Some(signals) = &self.signals else {
            lines.push(b'\n');
            return Ok(self.window.signal(&topics, &Frame::block(lines)));
        };
        let receivers = self.window.readers_of(&topics);
        let entry = Entry { topics, kind: EntryKind::Event, lines: lines.into(), key: None };
        signals.try_send(entry).map_err(|_| {
            let message = format!("{SIGNALS} signals are on their way already; send fewer");
            HistoryError::new(HistoryErrorKind::Unavailable, message)
        })?;
        Ok(receivers)
    }

    /// Ends the readers of these topics in this process; returns their number.
    pub(in crate::hub) fn disconnect(&self, topics: &[Topic]) -> usize {
        let feeds = self.window.lock().feeds_of(topics);
        let mut ended = 0;
        for feed in feeds {
            let waiting = {
                let mut feed = feed.lock();
                ended += feed.readers.len();
                feed.readers.iter().for_each(|reader| reader.end(Closed::Disconnect));
                feed.waiters.take()
            };
            wake(waiting);
        }
        ended
    }

    /// Returns counts of what the hub has done, and what it holds now.
    pub(in crate::hub) fn stats(&self) -> Stats {
        let window = &self.window;
        let (head, totals) = {
            let state = window.lock();
            (state.cursor_at(state.head()), state.totals())
        };
        let mut stats = Stats {
            head,
            readers: std::collections::BTreeMap::new(),
            topics: totals.topics,
            window_bytes: totals.bytes,
            memory_bytes: totals.cost(),
            shared_bytes: 0,
            published: window.counters.published.load(Ordering::Relaxed),
            gaps: window.counters.gaps(),
            stalled: window.counters.stalled.load(Ordering::Relaxed),
            held_bytes: window.counters.held.load(Ordering::Relaxed),
        };
        for feed in window.feeds() {
            let readers = {
                let inner = feed.lock();
                stats.shared_bytes += inner.backlog.kept_bytes();
                inner.readers.len()
            };
            for pattern in &feed.patterns {
                *stats.readers.entry(pattern.as_str().to_owned()).or_default() += readers;
            }
        }
        stats.readers.retain(|_, readers| *readers > 0);
        stats
    }

    /// Merges the part of the history's epoch table that this process's tail has not reported yet, and lets the
    /// tail begin again there. `epochs` becomes the table of this process: it may have rows that the history has
    /// lost. Returns its version.
    pub(in crate::hub) fn merge_epochs(&self, epochs: &mut EpochTable) -> EpochsVersion {
        let learned = self.window.learn(epochs);
        if learned.is_news {
            self.restart_tail.notify_one();
        }
        *epochs = learned.known;
        epochs.version()
    }

    /// Stores the task that sweeps, unless one is running.
    pub(in crate::hub) fn keep_sweeper(&self, spawn: impl FnOnce() -> Option<JoinHandle<()>>) {
        let mut sweeper = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner);
        if sweeper.as_ref().is_none_or(JoinHandle::is_finished)
            && let Some(task) = spawn()
        {
            *sweeper = Some(task);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // So that the tail releases the history at once.
        self.restart_tail.notify_one();
    }
}
