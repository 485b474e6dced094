use std::{error, fmt, sync::Arc};

#[cfg(doc)]
use super::Event;
use super::{InvalidEventId, InvalidEventType};

/// The reason why an [`Event`] cannot be sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The event has no data, id, type, retry or comment. Give it data.
    Empty,
    /// The id is not allowed.
    Id(InvalidEventId),
    /// The data could not be serialized as JSON.
    Json(Arc<dyn error::Error + Send + Sync>),
    /// The event has a type but no data, so clients would not dispatch it. Add `.data("")`.
    NoData,
    /// The type is not allowed.
    Type(InvalidEventType),
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("event: nothing in it; give it data"),
            Self::Id(error) => error.fmt(f),
            Self::Json(error) => write!(f, "event: the data cannot be written as JSON: {error}"),
            Self::NoData => {
                f.write_str("event: a type without data, which no client dispatches; add `.data(\"\")`")
            }
            Self::Type(error) => error.fmt(f),
        }
    }
}

impl error::Error for InvalidEvent {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Id(error) => Some(error),
            Self::Json(error) => Some(&**error),
            Self::Type(error) => Some(error),
            Self::Empty | Self::NoData => None,
        }
    }
}

impl From<InvalidEventId> for InvalidEvent {
    fn from(error: InvalidEventId) -> Self {
        Self::Id(error)
    }
}

impl From<InvalidEventType> for InvalidEvent {
    fn from(error: InvalidEventType) -> Self {
        Self::Type(error)
    }
}
