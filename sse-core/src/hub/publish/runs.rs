//! The runs of one process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, time::Instant};

use crate::history::{Entry, Topic};

/// The topic on which processes send each other requests to stop a run; publishing to it is refused, and readers
/// never get it.
pub(in crate::hub) const STOP_TOPIC: &str = "$sse.stop";

/// The runs of this process.
#[derive(Default)]
pub(crate) struct Runs(Mutex<HashMap<Topic, Arc<Running>>>);

pub(crate) struct Running {
    pub(in crate::hub) topic: Topic,
    pub(in crate::hub) stop: watch::Sender<bool>,
    /// Held during each publish, so that nothing follows the end.
    pub(in crate::hub) state: Arc<tokio::sync::Mutex<State>>,
}

pub(in crate::hub) struct State {
    pub(in crate::hub) is_over: bool,
    pub(in crate::hub) last: Instant,
}

impl Runs {
    /// Stops the run of `topic`; returns `false` if this process has none.
    pub(crate) fn stop(&self, topic: &str) -> bool {
        let running = self.lock().get(topic).cloned();
        if let Some(running) = &running {
            running.stop.send_replace(true);
        }
        running.is_some()
    }

    /// Returns whether a signal is meant for the runs, and not for readers.
    pub(crate) fn take_signal(&self, signal: &Entry) -> bool {
        let is_stop = matches!(&*signal.topics, [topic] if topic.as_str() == STOP_TOPIC);
        if is_stop {
            let topic = signal.lines.strip_prefix(b"data: ").and_then(|line| std::str::from_utf8(line).ok());
            self.stop(topic.unwrap_or_default().trim_end());
        }
        is_stop
    }

    /// Begins the run of a topic; returns `None` if this process already has one.
    pub(in crate::hub) fn begin(&self, topic: Topic) -> Option<Arc<Running>> {
        let mut runs = self.lock();
        if runs.contains_key(&topic) {
            return None;
        }
        let state = State { is_over: false, last: Instant::now() };
        let state = Arc::new(tokio::sync::Mutex::new(state));
        let running = Arc::new(Running { topic: topic.clone(), stop: watch::Sender::new(false), state });
        runs.insert(topic, Arc::clone(&running));
        Some(running)
    }

    pub(in crate::hub) fn end(&self, running: &Arc<Running>) {
        let mut runs = self.lock();
        if runs.get(&running.topic).is_some_and(|kept| Arc::ptr_eq(kept, running)) {
            runs.remove(&running.topic);
        }
    }

    /// Returns whether this process has a run of the topic.
    pub(in crate::hub) fn has(&self, topic: &Topic) -> bool {
        self.lock().contains_key(topic)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Topic, Arc<Running>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
