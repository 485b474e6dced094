use std::{slice, sync::Arc};

use crate::{history::Topic, wire::Frame};

/// The topics of one event, shared by all that keep the event.
#[derive(Clone, Debug)]
pub(crate) enum TopicSet {
    One(Topic),
    Several(Arc<[Topic]>),
}

/// One event of a feed of several topics.
#[derive(Clone, Debug)]
pub(crate) struct TaggedFrame {
    pub(crate) seq: u64,
    pub(crate) frame: Frame,
    pub(crate) topics: TopicSet,
}

impl TaggedFrame {
    /// Returns the frame and its position.
    pub(crate) fn positioned(&self) -> (u64, &Frame) {
        (self.seq, &self.frame)
    }
}

impl TopicSet {
    pub(crate) fn new(topics: &[Topic]) -> Self {
        match topics {
            [topic] => Self::One(topic.clone()),
            topics => Self::Several(topics.into()),
        }
    }

    /// Returns the topics to store in a topic's own ring; `None` if the ring's topic is the only one.
    pub(crate) fn several(&self) -> Option<Arc<[Topic]>> {
        match self {
            Self::One(_) => None,
            Self::Several(topics) => Some(Arc::clone(topics)),
        }
    }

    pub(crate) fn as_slice(&self) -> &[Topic] {
        match self {
            Self::One(topic) => slice::from_ref(topic),
            Self::Several(topics) => topics,
        }
    }
}
