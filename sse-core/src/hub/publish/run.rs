use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{Arc, Weak},
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    publish::{Publish, PublishError, Receipt, Target, What, exact},
    run_error::RunError,
    runs::{Running, STOP_TOPIC},
};
#[cfg(doc)]
use crate::hub::Hub;
use crate::hub::shared::Shared;
use crate::{
    history::{Entry, EntryKind, HistoryError, HistoryErrorKind, IntoTopics, InvalidTopic, Topic},
    wire::Event,
};

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
    hub: Arc<Shared>,
    running: Arc<Running>,
    runtime: Option<tokio::runtime::Handle>,
}

impl Run {
    /// Returns the topic of the run.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.running.topic
    }

    /// Publishes an event of the run; concurrent publishes wait for each other.
    ///
    /// # Errors
    /// [`RunError::Over`] once the run has expired, [`RunError::Publish`] as [`Hub::publish`].
    pub async fn publish(&self, event: impl Into<Event>) -> Result<Receipt, RunError> {
        let mut state = Arc::clone(&self.running.state).lock_owned().await;
        if state.is_over {
            return Err(RunError::Over);
        }
        let target = Target::Hub(Arc::clone(&self.hub));
        let publish = Publish::new(target, self.topic(), What::Event(event.into()));
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
        let mut state = Arc::clone(&self.running.state).lock_owned().await;
        if state.is_over {
            return Err(RunError::Over);
        }
        let target = Target::Hub(Arc::clone(&self.hub));
        let finish = Publish::new(target, self.topic(), What::Finish);
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
        let _ = self.running.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Returns whether the run was stopped or has expired.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.running.stop.borrow()
    }

    /// Abandons the run after a silence of this length without a publish: its topic is finished as if the run
    /// had been dropped, and the run is [`stopped`](Run::stopped). Of several calls the shortest time counts.
    /// Must be called within a Tokio runtime.
    pub fn expire_after(self, silence: Duration) -> Self {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let hub = Arc::downgrade(&self.hub);
                drop(runtime.spawn(expire(hub, Arc::clone(&self.running), silence)));
            }
            Err(error) => tracing::error!(%error, "`expire_after` outside a runtime; the run never expires"),
        }
        self
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let abandoned = abandon(Arc::clone(&self.hub), Arc::clone(&self.running), None);
        match &self.runtime {
            // In memory the append completes at once, with or without a runtime.
            _ if self.hub.history().is_none() => {
                let _ = pin!(abandoned).poll(&mut Context::from_waker(Waker::noop()));
            }
            Some(runtime) => drop(runtime.spawn(abandoned)),
            None => {
                tracing::error!(topic = %self.running.topic, "a run was dropped outside a runtime; it has no end")
            }
        }
    }
}

/// Finishes the topic of a run that its producer has left, if the producer did not finish it; for an expiring
/// run, only after a silence of the given length. Returns whether the run is over.
async fn abandon(hub: Arc<Shared>, running: Arc<Running>, silence: Option<Duration>) -> bool {
    let mut state = running.state.lock().await;
    if silence.is_some_and(|silence| state.last.elapsed() < silence) {
        return state.is_over;
    }
    if !state.is_over {
        state.is_over = true;
        running.stop.send_replace(true);
        tracing::warn!(topic = %running.topic, "a run was abandoned");
        let end = Publish::new(Target::Hub(Arc::clone(&hub)), &running.topic, What::Abandon);
        if let Err(error) = end.await {
            tracing::error!(topic = %running.topic, %error, "an abandoned run has no end");
        }
    }
    // Only now may the topic begin again, or this end would follow its first events.
    hub.runs.end(&running);
    true
}

/// Waits until a run was silent for too long.
async fn expire(hub: Weak<Shared>, running: Arc<Running>, silence: Duration) {
    loop {
        let last = running.state.lock().await.last;
        let Some(due) = last.checked_add(silence) else { return };
        tokio::time::sleep_until(due).await;
        let Some(hub) = hub.upgrade() else { return };
        if abandon(hub, Arc::clone(&running), Some(silence)).await {
            return;
        }
    }
}

impl Shared {
    /// Begins a run of a topic.
    pub(in crate::hub) fn start_run(self: &Arc<Self>, topic: Topic) -> Result<Run, RunError> {
        let running = self.runs.begin(topic).ok_or(RunError::Running)?;
        let runtime = tokio::runtime::Handle::try_current().ok();
        Ok(Run { hub: Arc::clone(self), running, runtime })
    }

    /// Asks the producer of a run to stop, in any process; returns whether the run is in this one.
    pub(in crate::hub) async fn stop_run(&self, topic: &Topic) -> Result<bool, PublishError> {
        let is_here = self.runs.stop(topic.as_str());
        if let Some(history) = self.history() {
            let lines = format!("data: {topic}\n").into_bytes().into();
            let topics = vec![Topic::new(STOP_TOPIC)?];
            history.signal(Entry { topics, kind: EntryKind::Event, lines, key: None }).await?;
        }
        Ok(is_here)
    }

    /// Finishes the topic of a run whose process was killed; returns `None` if it is finished.
    pub(in crate::hub) async fn abandon(self: &Arc<Self>, topic: Topic) -> Result<Option<Receipt>, RunError> {
        if self.runs.has(&topic) {
            return Err(RunError::Running);
        }
        if self.is_finished(&topic).await.map_err(PublishError::from)? {
            return Ok(None);
        }
        let end = Publish::new(Target::Hub(Arc::clone(self)), topic, What::Abandon);
        Ok(Some(end.await?))
    }
}

/// Returns the one topic of a run.
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
