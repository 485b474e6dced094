use std::{error, fmt};

use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    history::{HistoryError, InvalidTopic},
    hub::{PublishError, RunError, SubscribeError, json_string},
    response::{AccessDenied, vary},
    resume::ForbiddenOrigin,
    wire::{InvalidEvent, InvalidEventId, InvalidEventType},
};

/// Anything that can go wrong in a handler, with the status of the response.
///
/// The adapters' `Error` wraps one, so that `?` works in a handler.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// Access is denied.
    Denied(AccessDenied),
    /// An event is not valid.
    Event(InvalidEvent),
    /// A history cannot do what was requested.
    History(HistoryError),
    /// A request comes from an origin that is not allowed.
    Origin(ForbiddenOrigin),
    /// Nothing was published, or the outcome is unknown.
    Publish(PublishError),
    /// A run cannot begin or continue.
    Run(RunError),
    /// A subscription was refused.
    Subscribe(SubscribeError),
    /// A topic is not valid.
    Topic(InvalidTopic),
}

impl Error {
    /// Returns the status of the response: 400 or 406 for the caller's mistakes, 401, 403 or 404 for denied
    /// access, 404 for a topic that must exist and does not, 409 for a run that is active already or is over,
    /// 503 for a history that does not answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Denied(denied) => denied.status(),
            Self::Subscribe(SubscribeError::NotAcceptable) => StatusCode::NOT_ACCEPTABLE,
            Self::Subscribe(SubscribeError::UnknownTopic(_)) => StatusCode::NOT_FOUND,
            Self::Subscribe(SubscribeError::Origin(_)) | Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::History(_)
            | Self::Publish(PublishError::History(_))
            | Self::Run(RunError::Publish(PublishError::History(_))) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Run(RunError::Over | RunError::Running) => StatusCode::CONFLICT,
            Self::Event(_) | Self::Publish(_) | Self::Run(_) | Self::Subscribe(_) | Self::Topic(_) => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// Returns the response: the status, and `{"error":"…"}` with a message that states what to do.
    #[must_use]
    pub fn into_response(self) -> Response<String> {
        let decisive = match &self {
            Self::Subscribe(SubscribeError::NotAcceptable) => Some("accept"),
            Self::Subscribe(SubscribeError::Origin(_)) | Self::Origin(_) => Some("origin, sec-fetch-site"),
            _ => None,
        };
        let mut response = json_response(self.status(), error_json(&self.to_string()));
        if let Some(names) = decisive {
            vary(response.headers_mut(), names);
        }
        response
    }
}

/// Returns a JSON response to one request, which no cache may give to another.
pub(crate) fn json_response(status: StatusCode, json: String) -> Response<String> {
    let mut response = Response::new(json);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the body of an error response: `{"error":"…"}`.
pub(crate) fn error_json(message: &str) -> String {
    format!("{{\"error\":{}}}", json_string(message))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(error) => error.fmt(f),
            Self::Event(error) => error.fmt(f),
            Self::History(error) => error.fmt(f),
            Self::Origin(error) => error.fmt(f),
            Self::Publish(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
            Self::Topic(error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Denied(error) => Some(error),
            Self::Event(error) => Some(error),
            Self::History(error) => Some(error),
            Self::Origin(error) => Some(error),
            Self::Publish(error) => Some(error),
            Self::Run(error) => Some(error),
            Self::Subscribe(error) => Some(error),
            Self::Topic(error) => Some(error),
        }
    }
}

macro_rules! union {
    ($($variant:ident($error:ty)),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}
union!(
    Denied(AccessDenied),
    Event(InvalidEvent),
    History(HistoryError),
    Origin(ForbiddenOrigin),
    Publish(PublishError),
    Run(RunError),
    Subscribe(SubscribeError),
    Topic(InvalidTopic)
);

impl From<InvalidEventId> for Error {
    fn from(error: InvalidEventId) -> Self {
        Self::Event(error.into())
    }
}

impl From<InvalidEventType> for Error {
    fn from(error: InvalidEventType) -> Self {
        Self::Event(error.into())
    }
}
