use std::{error, fmt};

use super::publish::PublishError;

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
