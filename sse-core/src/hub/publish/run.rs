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

/// Under which topic processes tell each other to stop a run; nobody may publish there, and no reader is shown it.
const STOP_TOPIC: &str = "$sse.stop";

/// A topic with a producer that outlives its readers, such as the answer of a language model, or a build.
///
/// From [`Hub::run`]. Readers subscribe with [`Start::Earliest`](crate::hub::Start::Earliest): however late they come, and
/// however often they reconnect, they get everything from the start, then what follows live, then `sse.end`, and 204
/// after that. The producer works on whether anybody reads or not, until it is done or [`stopped`](Run::stopped).
///
/// Dropped without [`finish`](Run::finish), because its task failed or was cancelled, it is abandoned: its topic is
/// finished all the same, and the data of `sse.end` has `"abandoned":true`. A process that is killed cannot do
/// that: [`abandon`](Hub::abandon) its runs when it is back, and let readers subscribe to
/// [`existing`](crate::hub::Subscribe::existing) topics only. See [runs](crate::docs::runs).
///
/// ```
/// use sse_core::{Event, Hub, Start};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::memory();
/// let run = hub.run("answer.42")?;
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
    /// Held while something is published, so that nothing follows the end.
    state: Arc<tokio::sync::Mutex<State>>,
}

struct State {
    is_over: bool,
    last: Instant,
}

impl Run {
    /// Its topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.shared.topic
    }

    /// Publishes an event of the run; several that are published at once wait for each other.
    ///
    /// # Errors
    /// [`RunError::Over`] once it has expired, [`RunError::Publish`] as [`Hub::publish`].
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

    /// Finishes it: its readers get the rest and `sse.end`.
    ///
    /// # Errors
    /// [`RunError::Over`] once it has expired. [`RunError::Publish`] if the history did not keep the end; the run is
    /// abandoned then, which is tried once more.
    ///
    /// # Cancel safety
    /// If the future is dropped, the run ends all the same, as finished or as abandoned; the topic can begin anew once it
    /// has.
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

    /// Runs `step`, which holds the run's state, to its end although the caller may go away: an append goes on then, and
    /// until it is done no end may overtake it and the topic must not begin anew.
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

    /// Completes when [`Hub::stop`] was called for its topic in any process that shares the hub's history, or when it
    /// has expired: time to stop working, say a last word if there is one, and [`finish`](Run::finish).
    pub async fn stopped(&self) {
        // The sender lives as long as this does.
        let _ = self.shared.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Whether it was told to stop or has expired.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.shared.stop.borrow()
    }

    /// Abandons it once nothing was published for so long: its topic is finished as if it had been dropped, and it is
    /// [`stopped`](Run::stopped). Of several calls the shortest time counts. Must be called within a Tokio runtime.
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
            // In memory that is done at once, with or without a runtime.
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
    /// Tells the run of `topic` to stop; `false` if this process has none.
    pub(crate) fn stop(&self, topic: &str) -> bool {
        let running = self.lock().get(topic).cloned();
        if let Some(running) = &running {
            running.stop.send_replace(true);
        }
        running.is_some()
    }

    /// Whether a signal is meant for the runs, and not for readers.
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

/// Finishes the topic of a run that its producer has left, if it did not do so itself; of one that expires, only if
/// it was silent for so long. Returns whether the run is over.
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
    // Only now may the topic begin anew, or this end would follow its first events.
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
    /// A run that is over may be begun again; readers that start with the earliest then get both, the end of the
    /// first between them, so prefer a topic of its own for each.
    ///
    /// # Errors
    /// [`RunError::Running`] if this process runs the topic already: let the request that wants it read along.
    /// [`RunError::Publish`] for a topic that is not valid.
    pub fn run(&self, topic: impl IntoTopics) -> Result<Run, RunError> {
        let shared = self.shared.runs.begin(single(topic).map_err(PublishError::from)?)?;
        let runtime = tokio::runtime::Handle::try_current().ok();
        Ok(Run { hub: self.clone(), shared, runtime })
    }

    /// Tells the producer of a run to stop, in whichever process that shares the history it is; returns whether it is
    /// in this one.
    ///
    /// It ends nothing by itself: the producer hears it by [`Run::stopped`] and finishes. Between processes it is a
    /// signal, which may be lost when an engine fails over: ask again while the run goes on.
    ///
    /// # Errors
    /// [`PublishError`] for a topic that is not valid, or a history that does not answer.
    pub async fn stop(&self, topic: impl IntoTopics) -> Result<bool, PublishError> {
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

/// Why a run cannot begin or go on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RunError {
    /// It has expired, and its topic is finished. Stop working for it.
    Over,
    /// Nothing was published, or nobody can say.
    Publish(PublishError),
    /// This process runs the topic already. Subscribe to it.
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
