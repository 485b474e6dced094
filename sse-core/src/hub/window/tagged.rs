use std::{slice, sync::Arc};

use crate::{history::Topic, wire::Frame};

/// The topics of one event, shared by everyone who keeps it.
#[derive(Clone, Debug)]
pub(crate) enum TopicSet {
    One(Topic),
    Several(Arc<[Topic]>),
}

/// An event among those of several topics.
#[derive(Clone, Debug)]
pub(crate) struct TaggedFrame {
    pub(crate) seq: u64,
    pub(crate) frame: Frame,
    pub(crate) labels: TopicSet,
}

impl TaggedFrame {
    /// The frame and its place.
    pub(crate) fn placed(&self) -> (u64, &Frame) {
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

    /// What a topic's own ring need not keep, because it knows its topic.
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
