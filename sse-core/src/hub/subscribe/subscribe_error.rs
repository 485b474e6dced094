use std::{error, fmt};

#[cfg(doc)]
use crate::hub::Subscribe;
use crate::{
    history::{InvalidTopic, Topic},
    request::ForbiddenOrigin,
};

/// The reason why a subscription was refused: mistakes of the caller, and topics that must exist and do not. The
/// stream itself handles an unavailable history, a shutdown and any cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The request comes from an origin that is not allowed; see [`OriginPolicy`](crate::origin::OriginPolicy).
    Origin(ForbiddenOrigin),
    /// The name of a principal, a limit or an exclusive place is empty or longer than 512 bytes. Use a hash of it.
    Name,
    /// The request's `Accept` header excludes event streams; with [`fallbacks`](crate::docs::fallbacks), it accepts
    /// neither them nor JSON.
    NotAcceptable,
    /// A topic or pattern is not valid.
    Topic(InvalidTopic),
    /// This topic is unknown, and the subscription asked for [`existing`](Subscribe::existing) topics only.
    UnknownTopic(Topic),
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(error) => error.fmt(f),
            Self::Name => f.write_str(
                "subscribe: the name of a principal, a limit or an exclusive place has 1 to 512 bytes; use a hash of it",
            ),
            Self::NotAcceptable => f.write_str(
                "subscribe: the request's `Accept` excludes every form of this stream; add `text/event-stream` to it",
            ),
            Self::Topic(error) => error.fmt(f),
            Self::UnknownTopic(topic) => write!(
                f,
                "subscribe: nothing is known of the topic `{topic}`; check its name, or begin it before you subscribe"
            ),
        }
    }
}

impl error::Error for SubscribeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Name | Self::NotAcceptable | Self::UnknownTopic(_) => None,
            Self::Topic(error) => Some(error),
        }
    }
}

impl From<ForbiddenOrigin> for SubscribeError {
    fn from(error: ForbiddenOrigin) -> Self {
        Self::Origin(error)
    }
}

impl From<InvalidTopic> for SubscribeError {
    fn from(error: InvalidTopic) -> Self {
        Self::Topic(error)
    }
}
