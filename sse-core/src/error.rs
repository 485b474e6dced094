//! [`Error`], the union of what can go wrong in a handler, and the errors that it unites.

use std::{error, fmt};

use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    history::HistoryError,
    hub::json_string,
    request::{ForbiddenOrigin, InvalidOrigin},
    response::{AccessDenied, SendError, vary},
};

pub use crate::{
    history::topic::InvalidTopic,
    hub::{PublishError, RunError, SubscribeError},
    resume::InvalidCursor,
    wire::{InvalidEvent, InvalidEventId, InvalidEventType},
};

/// Anything that can go wrong in a handler, with the status of the response.
///
/// The adapters' `Error` wraps one, and their roots export this enum as `ErrorKind`. Errors of the client and of decoding
/// are not part of it: they concern streams that this program reads, and no status for its own callers follows from them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// A text is not a cursor.
    Cursor(InvalidCursor),
    /// Access is denied.
    Denied(AccessDenied),
    /// An event is not valid.
    Event(InvalidEvent),
    /// A history cannot do what was requested.
    History(HistoryError),
    /// A text is not an origin, or an origin policy contradicts itself.
    InvalidOrigin(InvalidOrigin),
    /// A request comes from an origin that is not allowed.
    Origin(ForbiddenOrigin),
    /// Nothing was published, or the outcome is unknown.
    Publish(PublishError),
    /// A run cannot begin or continue.
    Run(RunError),
    /// A channel took no event.
    Send(SendError),
    /// A subscription was refused.
    Subscribe(SubscribeError),
    /// A topic is not valid.
    Topic(InvalidTopic),
}

impl Error {
    /// Returns the status of the response: 400 or 406 for the caller's mistakes, 401, 403 or 404 for denied access, 404
    /// for a topic that must exist and does not, 409 for a run that is active already or is over, 410 for a channel whose reader has left,
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
            Self::Send(SendError::Left) => StatusCode::GONE,
            Self::Cursor(_)
            | Self::Event(_)
            | Self::InvalidOrigin(_)
            | Self::Publish(_)
            | Self::Run(_)
            | Self::Send(_)
            | Self::Subscribe(_)
            | Self::Topic(_) => StatusCode::BAD_REQUEST,
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
            Self::Cursor(error) => error.fmt(f),
            Self::Denied(error) => error.fmt(f),
            Self::Event(error) => error.fmt(f),
            Self::History(error) => error.fmt(f),
            Self::InvalidOrigin(error) => error.fmt(f),
            Self::Origin(error) => error.fmt(f),
            Self::Publish(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
            Self::Topic(error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Cursor(error) => Some(error),
            Self::Denied(error) => Some(error),
            Self::Event(error) => Some(error),
            Self::History(error) => Some(error),
            Self::InvalidOrigin(error) => Some(error),
            Self::Origin(error) => Some(error),
            Self::Publish(error) => Some(error),
            Self::Run(error) => Some(error),
            Self::Send(error) => Some(error),
            Self::Subscribe(error) => Some(error),
            Self::Topic(error) => Some(error),
        }
    }
}

/// Calls a macro with every error that converts to [`Error`] and its variant there: the only list of them.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_error {
    ($callback:path, $($input:ty),*) => {
        $callback! {
            [$($input),*]
            $crate::mount::AccessDenied => Denied,
            $crate::origin::ForbiddenOrigin => Origin,
            $crate::history::HistoryError => History,
            $crate::error::InvalidCursor => Cursor,
            $crate::error::InvalidEvent => Event,
            $crate::error::InvalidEventId => Event,
            $crate::error::InvalidEventType => Event,
            $crate::origin::InvalidOrigin => InvalidOrigin,
            $crate::error::InvalidTopic => Topic,
            $crate::error::PublishError => Publish,
            $crate::error::RunError => Run,
            $crate::channel::SendError => Send,
            $crate::error::SubscribeError => Subscribe,
        }
    };
}

/// Lets `?` convert every error of a handler to an application's own error type, by way of the adapter's `Error`.
///
/// `convert_errors!(sse_axum::Error => AppError)` needs `impl From<sse_axum::Error> for AppError` and implements `From` for
/// each error type that converts to `sse_axum::Error`: what the hub, a run, a channel, a topic or a policy returns.
///
/// ```
/// use sse_core::{Error, Event, Hub, Topic, convert_errors};
///
/// enum AppError {
///     Events(Error),
///     Database(std::io::Error),
/// }
///
/// impl From<Error> for AppError {
///     fn from(error: Error) -> Self {
///         Self::Events(error)
///     }
/// }
///
/// impl From<std::io::Error> for AppError {
///     fn from(error: std::io::Error) -> Self {
///         Self::Database(error)
///     }
/// }
///
/// convert_errors!(Error => AppError);
///
/// async fn rename(hub: &Hub, from: &str, to: &str) -> Result<(), AppError> {
///     let topic = Topic::from_parts(["files", to])?;
///     std::fs::rename(from, to)?;
///     hub.publish(topic, Event::message(from)).await?;
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! convert_errors {
    ($error:ty => $target:ty) => {
        $crate::__each_error!($crate::__convert_error, $error, $target);
    };
}

/// The implementations that [`convert_errors`](crate::convert_errors) makes.
#[doc(hidden)]
#[macro_export]
macro_rules! __convert_error {
    ([$via:ty, $target:ty] $($error:ty => $variant:ident,)*) => {
        $crate::__convert_error!(@each $target, $via, $($error),*);
    };
    (@each $target:ty, $via:ty, $first:ty $(, $rest:ty)*) => {
        impl ::std::convert::From<$first> for $target {
            fn from(error: $first) -> Self {
                ::std::convert::From::from(<$via as ::std::convert::From<$first>>::from(error))
            }
        }
        $crate::__convert_error!(@each $target, $via $(, $rest)*);
    };
    (@each $target:ty, $via:ty) => {};
}

macro_rules! variants {
    ([] $($error:ty => $variant:ident,)*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error.into())
            }
        }
    )*};
}
crate::__each_error!(variants,);
