//! Topics that come and go: whether anything is known of one, and the end of one whose producer is gone.

use std::slice;

use crate::history::{HistoryBounds, HistoryError, IntoTopics, Pattern, Topic};
use crate::hub::{
    Hub, Publish, PublishError, Receipt, RunError, Subscribe,
    publish::publish::{Target, What},
    publish::run::{Runs, single},
    window::ring::Ring,
    window::window::Window,
};

impl Subscribe {
    /// Refuses the reader with [`SubscribeError::UnknownTopic`](crate::hub::SubscribeError::UnknownTopic) if nothing is known of a topic: no event
    /// is kept in the window or the history, its end is not remembered, and this process has no [`Run`](crate::hub::Run) of it.
    ///
    /// For topics that come and go, such as the answer of a language model or a build. Without it, a reader of a topic
    /// that was never begun, or that a hub in memory lost when its process ended, waits silently for ever. The adapters
    /// answer 404 with `{"error":"…"}` before the first byte; an `EventSource` then stops for good with `readyState` 2,
    /// which the page can show. Match the error to answer otherwise.
    ///
    /// Each topic must be known; patterns are not looked at. In doubt the reader is let in: JetStream cannot rule a topic
    /// out while its stream holds an event of several topics. Runs of other processes are known once they have
    /// published something: publish their first event before you give their address out.
    ///
    /// ```
    /// use sse_core::{Hub, Start, SubscribeError, Topic};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let answer = Topic::from_parts(["answers", "42"])?;
    /// let refused = hub.subscribe(&answer).start(Start::Earliest).existing().await;
    /// assert_eq!(refused.err(), Some(SubscribeError::UnknownTopic(answer.clone())));
    ///
    /// let run = hub.run(&answer)?;
    /// assert!(hub.subscribe(&answer).start(Start::Earliest).existing().await.is_ok());
    /// # drop(run);
    /// # Ok(()) }
    /// ```
    pub fn existing(mut self) -> Self {
        self.existing = true;
        self
    }
}

impl Hub {
    /// Finishes the topic of a run whose process was killed, so that its readers get `sse.end` with `"abandoned":true`
    /// in its data instead of silence; returns `None`, and does nothing, if the topic is finished already.
    ///
    /// A [`Run`](crate::hub::Run) that is dropped does so by itself. When a process is back, call this for each run that your
    /// database has as begun by that process and not as done; see [runs](crate::docs::runs).
    ///
    /// # Errors
    /// [`RunError::Running`] for a run of this process: drop or finish it. [`RunError::Publish`] for a topic that
    /// is not valid, or a history that does not answer.
    pub async fn abandon(&self, topic: impl IntoTopics) -> Result<Option<Receipt>, RunError> {
        let topic = single(topic).map_err(PublishError::from)?;
        if self.shared.runs.has(&topic) {
            return Err(RunError::Running);
        }
        if self.is_finished(&topic).await.map_err(PublishError::from)? {
            return Ok(None);
        }
        let end = Publish::new(Target::Hub(self.clone()), topic, What::Abandon);
        Ok(Some(end.await?))
    }

    async fn is_finished(&self, topic: &Topic) -> Result<bool, HistoryError> {
        if self.window().look_at(topic, |ring| ring.finished.is_some()) {
            return Ok(true);
        }
        // The window has the newest events: of a topic that it holds, the last one is not an end.
        if self.window().look_at(topic, |ring| ring.len() > 0) {
            return Ok(false);
        }
        Ok(self.span_of(&topic.clone().into()).await?.is_some_and(|span| !span.finished.is_empty()))
    }

    /// Returns what the history holds of a pattern, if there is a history.
    async fn span_of(&self, pattern: &Pattern) -> Result<Option<HistoryBounds>, HistoryError> {
        match self.history() {
            Some(history) => history.span(slice::from_ref(pattern)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the first topic of which nothing is known.
    pub(in crate::hub) async fn unknown_topic(
        &self,
        patterns: &[Pattern],
    ) -> Result<Option<Topic>, HistoryError> {
        for pattern in patterns {
            let Ok(topic) = pattern.clone().into_topic() else { continue };
            let is_held = self.window().look_at(&topic, |ring| ring.len() > 0 || ring.finished.is_some());
            if is_held || self.shared.runs.has(&topic) {
                continue;
            }
            let span = self.span_of(pattern).await?;
            if span.is_none_or(|span| span.last < span.oldest && span.finished.is_empty()) {
                return Ok(Some(topic));
            }
        }
        Ok(None)
    }
}

impl Window {
    /// Returns whether the window has a ring of this topic for which `is` returns `true`.
    fn look_at(&self, topic: &Topic, is: impl FnOnce(&Ring) -> bool) -> bool {
        self.lock().topics.get(topic).is_some_and(|ring| is(&ring.lock()))
    }
}

impl Runs {
    /// Returns whether this process has a run of the topic.
    fn has(&self, topic: &Topic) -> bool {
        self.lock().contains_key(topic)
    }
}
