//! Whether a topic is known, and whether it is finished.

use std::slice;

use super::{
    shared::Shared,
    window::{ring::Ring, window::Window},
};
use crate::history::{HistoryBounds, HistoryError, Pattern, Topic};

impl Shared {
    /// Returns whether the topic is finished, by the window or the history.
    pub(in crate::hub) async fn is_finished(&self, topic: &Topic) -> Result<bool, HistoryError> {
        if self.window().look_at(topic, |ring| ring.finished.is_some()) {
            return Ok(true);
        }
        // The window has the newest events: the last event of a topic that it holds is not an end.
        if self.window().look_at(topic, |ring| ring.len() > 0) {
            return Ok(false);
        }
        Ok(self.bounds_of(&topic.clone().into()).await?.is_some_and(|bounds| !bounds.finished.is_empty()))
    }

    /// Returns the bounds that the history reports for a pattern, if there is a history.
    async fn bounds_of(&self, pattern: &Pattern) -> Result<Option<HistoryBounds>, HistoryError> {
        match self.history() {
            Some(history) => history.bounds(slice::from_ref(pattern)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the first topic of which nothing is known; patterns are not checked.
    pub(in crate::hub) async fn unknown_topic(
        &self,
        patterns: &[Pattern],
    ) -> Result<Option<Topic>, HistoryError> {
        for pattern in patterns {
            let Ok(topic) = pattern.clone().into_topic() else { continue };
            let is_in_window =
                self.window().look_at(&topic, |ring| ring.len() > 0 || ring.finished.is_some());
            if is_in_window || self.runs.has(&topic) {
                continue;
            }
            let bounds = self.bounds_of(pattern).await?;
            if bounds.is_none_or(|bounds| bounds.last < bounds.oldest && bounds.finished.is_empty()) {
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
