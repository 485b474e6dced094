use std::{
    collections::HashMap,
    error, fmt,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Waker},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::publish::{Target, What, exact};
use crate::hub::{Hub, Publish, PublishError, Receipt, Shared};
use crate::{
    history::{Entry, EntryKind, HistoryError, HistoryErrorKind, IntoTopics, InvalidTopic, Topic},
    wire::Event,
};

/// The topic on which processes send each other requests to stop a run; publishing to it is refused, and readers
/// never get it.
const STOP_TOPIC: &str = "$sse.stop";

/// A topic with a producer that outlives its readers, such as the answer of a language model, or a build.
///
/// Created by [`Hub::start_run`]. Readers subscribe with [`Start::Earliest`](crate::hub::Start::Earliest): however
/// late they come, and however often they reconnect, they get everything from the start, then live events, then
/// `sse.end`, and 204 after that. The producer works with or without readers, until it is done or
/// [`stopped`](Run::stopped).
///
/// If the run is dropped without [`finish`](Run::finish), because its task failed or was cancelled, it is
/// abandoned: its topic is still finished, and the data of `sse.end` has `"abandoned":true`. A killed process
/// cannot do that: call [`abandon`](Hub::abandon) for its runs when it is back, and let readers subscribe to
/// [`existing`](crate::hub::Subscribe::existing) topics only. See [runs](crate::docs::runs).
///
/// ```
/// use sse_core::{Event, Hub, Start};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::memory();
/// let run = hub.start_run("answer.42")?;
/// tokio::spawn(async move {
///     for token in ["Hel", "lo"] {
///         run.publish(Event::message(token)).await?;
///     }
///     run.finish().await
/// });
/// let mut late = hub.subscribe("answer.42").start(Start::Earliest).await?;
/// while let Some(frame) = late.next().await {
///     println!("{frame:?}");
/// }
/// # Ok(()) }
/// ```
#[must_use = "a run that is dropped is abandoned"]
pub struct Run {
    hub: Hub,
    shared: Arc<Running>,
    runtime: Option<tokio::runtime::Handle>,
}

/// The runs of this process.
#[derive(Default)]
pub(crate) struct Runs(Mutex<HashMap<Topic, Arc<Running>>>);

pub(crate) struct Running {
    topic: Topic,
    stop: watch::Sender<bool>,
    /// Held during each publish, so that nothing follows the end.
    state: Arc<tokio::sync::Mutex<State>>,
}

struct State {
    is_over: bool,
    last: Instant,
}

impl Run {
    /// Returns the topic of the run.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.shared.topic
    }

    /// Publishes an event of the run; concurrent publishes wait for each other.
    ///
    /// # Errors
    /// [`RunError::Over`] once the run has expired, [`RunError::Publish`] as [`Hub::publish`].
    pub async fn publish(&self, event: impl Into<Event>) -> Result<Receipt, RunError> {
        let mut state = Arc::clone(&self.shared.state).lock_owned().await;
        if state.is_over {
            return Err(RunError::Over);
        }
        let publish = self.hub.publish(self.topic(), event);
        self.hold(async move {
            let receipt = publish.await?;
            state.last = Instant::now();
            Ok(receipt)
        })
        .await
    }

    /// Finishes the run: its readers get the remaining events and `sse.end`.
    ///
    /// # Errors
    /// [`RunError::Over`] once the run has expired. [`RunError::Publish`] if the history did not store the end;
    /// the run is then abandoned, which tries once more.
    ///
    /// # Cancel safety
    /// If the future is dropped, the run still ends, as finished or as abandoned. The topic can begin again
    /// after that.
    pub async fn finish(self) -> Result<Receipt, RunError> {
        let mut state = Arc::clone(&self.shared.state).lock_owned().await;
        if state.is_over {
            return Err(RunError::Over);
        }
        let finish = self.hub.finish(self.topic());
        self.hold(async move {
            let receipt = finish.await?;
            state.is_over = true;
            Ok(receipt)
        })
        .await
    }

    /// Runs `step`, which holds the run's state, to its end even if the caller's future is dropped: an append
    /// continues then, and until it is done the end must not overtake it and the topic must not begin again.
    async fn hold<F>(&self, step: F) -> Result<Receipt, RunError>
    where
        F: Future<Output = Result<Receipt, RunError>> + Send + 'static,
    {
        match &self.runtime {
            Some(runtime) if self.hub.history().is_some() => {
                runtime.spawn(step).await.unwrap_or_else(|error| {
                    let broken_off = HistoryError::new(HistoryErrorKind::Uncertain, "the publish broke off");
                    Err(PublishError::from(broken_off.with_source(error)).into())
                })
            }
            _ => step.await,
        }
    }

    /// Completes when [`Hub::stop_run`] was called for the topic in any process that shares the hub's history, or
    /// when the run has expired. Then stop working, publish a last event if needed, and call
    /// [`finish`](Run::finish).
    pub async fn stopped(&self) {
        // The sender lives as long as the run.
        let _ = self.shared.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Returns whether the run was stopped or has expired.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.shared.stop.borrow()
    }

    /// Abandons the run after a silence of this length without a publish: its topic is finished as if the run
    /// had been dropped, and the run is [`stopped`](Run::stopped). Of several calls the shortest time counts.
    /// Must be called within a Tokio runtime.
    pub fn expire_after(self, silence: Duration) -> Self {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let hub = Arc::downgrade(&self.hub.shared);
                drop(runtime.spawn(expire(hub, Arc::clone(&self.shared), silence)));
            }
            Err(error) => tracing::error!(%error, "`expire_after` outside a runtime; the run never expires"),
        }
        self
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let abandoned = abandon(self.hub.clone(), Arc::clone(&self.shared), None);
        match &self.runtime {
            // In memory the append completes at once, with or without a runtime.
            _ if self.hub.history().is_none() => {
                let _ = pin!(abandoned).poll(&mut Context::from_waker(Waker::noop()));
            }
            Some(runtime) => drop(runtime.spawn(abandoned)),
            None => {
                tracing::error!(topic = %self.shared.topic, "a run was dropped outside a runtime; it has no end")
            }
        }
    }
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

    fn begin(&self, topic: Topic) -> Result<Arc<Running>, RunError> {
        let mut runs = self.lock();
        if runs.contains_key(&topic) {
            return Err(RunError::Running);
        }
        let state = State { is_over: false, last: Instant::now() };
        let state = Arc::new(tokio::sync::Mutex::new(state));
        let running = Arc::new(Running { topic: topic.clone(), stop: watch::Sender::new(false), state });
        runs.insert(topic, Arc::clone(&running));
        Ok(running)
    }

    fn end(&self, running: &Arc<Running>) {
        let mut runs = self.lock();
        if runs.get(&running.topic).is_some_and(|kept| Arc::ptr_eq(kept, running)) {
            runs.remove(&running.topic);
        }
    }

    pub(in crate::hub) fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Topic, Arc<Running>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finishes the topic of a run that its producer has left, if the producer did not finish it; for an expiring
/// run, only after a silence of the given length. Returns whether the run is over.
async fn abandon(hub: Hub, running: Arc<Running>, silence: Option<Duration>) -> bool {
    let mut state = running.state.lock().await;
    if silence.is_some_and(|silence| state.last.elapsed() < silence) {
        return state.is_over;
    }
    if !state.is_over {
        state.is_over = true;
        running.stop.send_replace(true);
        tracing::warn!(topic = %running.topic, "a run was abandoned");
        let end = Publish::new(Target::Hub(hub.clone()), &running.topic, What::Abandon);
        if let Err(error) = end.await {
            tracing::error!(topic = %running.topic, %error, "an abandoned run has no end");
        }
    }
    // Only now may the topic begin again, or this end would follow its first events.
    hub.shared.runs.end(&running);
    true
}

/// Waits until a run was silent for too long.
async fn expire(hub: Weak<Shared>, running: Arc<Running>, silence: Duration) {
    loop {
        let last = running.state.lock().await.last;
        let Some(due) = last.checked_add(silence) else { return };
        tokio::time::sleep_until(due).await;
        let Some(shared) = hub.upgrade() else { return };
        if abandon(Hub { shared }, Arc::clone(&running), Some(silence)).await {
            return;
        }
    }
}

impl Hub {
    /// Begins a run: a topic whose producer outlives its readers, and that ends with the producer.
    ///
    /// A run that is over may begin again. Readers with [`Start::Earliest`](crate::hub::Start::Earliest) then
    /// get both, with the end of the first between them, so prefer a separate topic for each run.
    ///
    /// # Errors
    /// [`RunError::Running`] if this process already runs the topic: let the caller subscribe to it instead.
    /// [`RunError::Publish`] for a topic that is not valid.
    pub fn start_run(&self, topic: impl IntoTopics) -> Result<Run, RunError> {
        let shared = self.shared.runs.begin(single(topic).map_err(PublishError::from)?)?;
        let runtime = tokio::runtime::Handle::try_current().ok();
        Ok(Run { hub: self.clone(), shared, runtime })
    }

    /// Asks the producer of a run to stop, in any process that shares the history; returns whether the run is in
    /// this process.
    ///
    /// This alone ends nothing: the producer is notified by [`Run::stopped`] and then finishes. Between
    /// processes the request is a signal, which may be lost when an engine fails over: call this again while the
    /// run continues.
    ///
    /// # Errors
    /// [`PublishError`] for a topic that is not valid, or if the history does not respond.
    pub async fn stop_run(&self, topic: impl IntoTopics) -> Result<bool, PublishError> {
        let topic = single(topic)?;
        let is_here = self.shared.runs.stop(topic.as_str());
        if let Some(history) = self.history() {
            let lines = format!("data: {topic}\n").into_bytes().into();
            let topics = vec![Topic::new(STOP_TOPIC)?];
            history.signal(Entry { topics, kind: EntryKind::Event, lines, key: None }).await?;
        }
        Ok(is_here)
    }
}

pub(in crate::hub) fn single(topic: impl IntoTopics) -> Result<Topic, InvalidTopic> {
    match <[Topic; 1]>::try_from(exact(topic)?) {
        Ok([topic]) => Ok(topic),
        Err(_) => Err(InvalidTopic::TooMany { limit: 1 }),
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("topic", self.topic())
            .field("is_stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}

/// The reason why a run cannot begin or continue.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RunError {
    /// The run has expired, and its topic is finished. Stop working for it.
    Over,
    /// Nothing was published, or the outcome is unknown.
    Publish(PublishError),
    /// This process already runs the topic. Subscribe to it.
    Running,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("run: it has expired and its topic is finished; stop working for it"),
            Self::Publish(error) => error.fmt(f),
            Self::Running => f.write_str("run: this process runs the topic already; subscribe to it"),
        }
    }
}

impl error::Error for RunError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Publish(error) => Some(error),
            Self::Over | Self::Running => None,
        }
    }
}

impl From<PublishError> for RunError {
    fn from(error: PublishError) -> Self {
        Self::Publish(error)
    }
}
