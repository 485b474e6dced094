//! What notifications wake: the sequencer, the tails, and the readers of signals.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Notify, broadcast, watch};

use super::{payload, schema::Schema};
use crate::history::{Entry, foreign};

/// The number of signals that a slow tail may be behind before it misses some.
const SIGNALS: usize = 1_024;

/// The receivers of notifications. A notification is a hint: whoever waits looks by itself as well.
#[derive(Debug)]
pub(super) struct Wakes {
    /// Notified when a publisher rings.
    pub(super) bell: Notify,
    /// The number of times that publishers have rung.
    pub(super) rings: AtomicU64,
    /// Changes when the log has grown.
    pub(super) log: watch::Sender<()>,
    pub(super) signals: broadcast::Sender<Entry>,
    /// The last notification that a process sent to itself.
    pub(super) heard: watch::Sender<String>,
    has_reported_deafness: AtomicBool,
    has_reported_queue: AtomicBool,
}

impl Default for Wakes {
    fn default() -> Self {
        Self {
            bell: Notify::new(),
            rings: AtomicU64::new(0),
            log: watch::Sender::new(()),
            signals: broadcast::Sender::new(SIGNALS),
            heard: watch::Sender::new(String::new()),
            has_reported_deafness: AtomicBool::new(false),
            has_reported_queue: AtomicBool::new(false),
        }
    }
}

impl Wakes {
    pub(super) fn dispatch(&self, schema: &Schema, channel: &str, text: &str) {
        if channel == schema.log {
            self.log.send_replace(());
        } else if channel == schema.bell && text.is_empty() {
            self.rings.fetch_add(1, Ordering::Relaxed);
            self.bell.notify_one();
        } else if channel == schema.bell {
            self.heard.send_replace(text.to_owned());
        } else if channel == schema.signals {
            match payload::decode(text) {
                // Fails if there is no tail.
                Some(entry) => drop(self.signals.send(entry)),
                None => foreign::skipped("PostgreSQL", 1),
            }
        }
    }

    /// Logs once that notifications do not arrive.
    pub(super) fn report_deaf(&self) {
        if !self.has_reported_deafness.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "PostgreSQL's notifications do not arrive, as behind a pooler in transaction mode: events are up to \
                 100 ms late and signals are lost; connect the hub directly"
            );
        }
    }

    /// Logs once that the queue of notifications is so full that nothing is announced.
    pub(super) fn report_announced(&self, is_announced: bool) {
        if is_announced {
            self.has_reported_queue.store(false, Ordering::Relaxed);
        } else if !self.has_reported_queue.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "PostgreSQL's queue of notifications is half full, so events are up to 1 s late; end the sessions \
                 that listen and are idle in a transaction (`pg_stat_activity`)"
            );
        }
    }
}
