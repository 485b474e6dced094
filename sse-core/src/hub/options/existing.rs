//! Short-lived topics: whether a topic is known, and the end of a topic that its producer abandoned.

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
    /// Refuses the reader with [`SubscribeError::UnknownTopic`](crate::hub::SubscribeError::UnknownTopic) if a
    /// topic is unknown: the window and the history keep no event of it, its end is not remembered, and this
    /// process has no [`Run`](crate::hub::Run) of it.
    ///
    /// For short-lived topics, such as the answer of a language model or a build. Without this check, a reader
    /// waits silently for ever if its topic never began, or if a hub in memory lost the topic when its process
    /// ended. The adapters answer 404 with `{"error":"…"}` before the first byte; an `EventSource` then stops
    /// for good with `readyState` 2, which the page can show. To answer otherwise, match the error.
    ///
    /// Each topic must be known; patterns are not checked. In doubt the reader is accepted: JetStream cannot
    /// rule out a topic while its stream holds an event of several topics. Runs of other processes are known
    /// once they have published an event: publish the first event of a run before you give out its address.
    ///
    /// ```
    /// use sse_core::{Hub, Start, Topic, error::SubscribeError};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::memory();
    /// let answer = Topic::from_parts(["answers", "42"])?;
    /// let refused = hub.subscribe(&answer).start(Start::Earliest).existing().await;
    /// assert_eq!(refused.err(), Some(SubscribeError::UnknownTopic(answer.clone())));
    ///
    /// let run = hub.start_run(&answer)?;
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
    /// Finishes the topic of a run whose process was killed, so that its readers get `sse.end` with
    /// `"abandoned":true` in its data instead of silence. Returns `None`, and does nothing, if the topic is
    /// already finished.
    ///
    /// A [`Run`](crate::hub::Run) that is dropped abandons its topic by itself. When a process is back, call
    /// this method for each run that your database lists as begun by that process and not as done; see
    /// [runs](crate::docs::runs).
    ///
    /// # Errors
    /// [`RunError::Running`] for a run of this process: drop or finish it. [`RunError::Publish`] for a topic
    /// that is not valid, or if the history does not respond.
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
        // The window has the newest events: the last event of a topic that it holds is not an end.
        if self.window().look_at(topic, |ring| ring.len() > 0) {
            return Ok(false);
        }
        Ok(self.span_of(&topic.clone().into()).await?.is_some_and(|span| !span.finished.is_empty()))
    }

    /// Returns the bounds that the history reports for a pattern, if there is a history.
    async fn span_of(&self, pattern: &Pattern) -> Result<Option<HistoryBounds>, HistoryError> {
        match self.history() {
            Some(history) => history.bounds(slice::from_ref(pattern)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the first unknown topic.
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
