//! An application that depends on `sse-axum` and its framework alone: everything it needs has a name there.
//!
//! What only the adapter's own macros need has none:
//!
//! ```compile_fail,E0432
//! use sse_axum::__private;
//! ```
//!
//! ```compile_fail,E0432
//! use sse_axum::__define_sse;
//! ```

use axum::response::{IntoResponse, Response};
use sse_axum::{
    ErrorKind, Event, Hub, Sse, SseRequest, Topic,
    error::{PublishError, SubscribeError},
    mount::AccessDenied,
    origin::OriginPolicy,
};

/// The application's own error type: one `From` of its own for the adapter's, and the macro for the rest.
#[derive(Debug)]
pub enum AppError {
    /// From the adapter.
    Events(sse_axum::Error),
    /// From elsewhere.
    Io(std::io::Error),
}

impl From<sse_axum::Error> for AppError {
    fn from(error: sse_axum::Error) -> Self {
        Self::Events(error)
    }
}

impl From<std::io::Error> for AppError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

sse_axum::convert_errors!(sse_axum::Error => AppError);

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match self {
            Self::Events(error) => error.into_response(),
            Self::Io(_) => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Checks the origin by what the extractor remembers, then publishes.
///
/// # Errors
/// [`AppError::Events`] if the origin or the topic is refused.
pub async fn publish(
    hub: &Hub,
    policy: &OriginPolicy,
    request: &SseRequest,
    topic: &str,
) -> Result<(), AppError> {
    policy.check(request)?;
    let topic = Topic::new(topic)?;
    hub.publish(topic, Event::message("1.08")).await?;
    Ok(())
}

/// The same without an error type of its own.
///
/// # Errors
/// If a reader may not subscribe.
pub async fn prices(hub: Hub, policy: &OriginPolicy, request: SseRequest) -> sse_axum::Result {
    policy.check(&request)?;
    Ok(Sse::new(hub.subscribe("prices").request(request).await?))
}

/// A name for what went wrong.
#[must_use]
pub fn name(error: &sse_axum::Error) -> &'static str {
    match error.kind() {
        ErrorKind::Cursor(_) => "cursor",
        ErrorKind::Denied(AccessDenied::Forbidden) => "forbidden",
        ErrorKind::Denied(_) => "denied",
        ErrorKind::Event(_) => "event",
        ErrorKind::History(_) => "history",
        ErrorKind::InvalidOrigin(_) => "invalid origin",
        ErrorKind::Origin(_) => "origin",
        ErrorKind::Publish(PublishError::OwnId) => "own id",
        ErrorKind::Publish(_) => "publish",
        ErrorKind::Run(_) => "run",
        ErrorKind::Send(_) => "send",
        ErrorKind::Subscribe(SubscribeError::UnknownTopic(_)) => "unknown topic",
        ErrorKind::Subscribe(_) => "subscribe",
        ErrorKind::Topic(_) => "topic",
        _ => "another",
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::FromRequestParts, http::Request};

    use super::*;

    const _: () = {
        const fn converts<E>()
        where
            sse_axum::Error: From<E>,
            AppError: From<E>,
        {
        }
        converts::<sse_axum::mount::AccessDenied>();
        converts::<sse_axum::origin::ForbiddenOrigin>();
        converts::<sse_axum::history::HistoryError>();
        converts::<sse_axum::error::InvalidCursor>();
        converts::<sse_axum::error::InvalidEvent>();
        converts::<sse_axum::error::InvalidEventId>();
        converts::<sse_axum::error::InvalidEventType>();
        converts::<sse_axum::origin::InvalidOrigin>();
        converts::<sse_axum::error::InvalidTopic>();
        converts::<sse_axum::error::PublishError>();
        converts::<sse_axum::error::RunError>();
        converts::<sse_axum::channel::SendError>();
        converts::<sse_axum::error::SubscribeError>();
    };

    /// What the extractor makes of a request from a page of this origin.
    async fn extracted(origin: &str) -> SseRequest {
        let request = Request::get("/").header("host", "app.example").header("origin", origin);
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        <SseRequest as FromRequestParts<()>>::from_request_parts(&mut parts, &()).await.unwrap()
    }

    fn refused(result: Result<(), AppError>) -> sse_axum::Error {
        match result {
            Err(AppError::Events(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn errors_are_matched_and_answered() {
        let hub = Hub::memory();
        let policy = OriginPolicy::builder().origin("https://page.example").build().unwrap();
        let request = extracted("https://page.example").await;
        publish(&hub, &policy, &request, "prices").await.unwrap();

        let elsewhere =
            refused(publish(&hub, &policy, &extracted("https://evil.example").await, "prices").await);
        assert_eq!((name(&elsewhere), elsewhere.status()), ("origin", axum::http::StatusCode::FORBIDDEN));
        let topic = refused(publish(&hub, &policy, &request, "a..b").await);
        assert_eq!((name(&topic), topic.status()), ("topic", axum::http::StatusCode::BAD_REQUEST));
        assert!(matches!(topic.into_kind(), ErrorKind::Topic(_)));

        let unknown = sse_axum::Error::from(hub.subscribe("b").existing().await.unwrap_err());
        assert_eq!((name(&unknown), unknown.status()), ("unknown topic", axum::http::StatusCode::NOT_FOUND));
        let left = sse_axum::Error::from(sse_axum::channel::SendError::Left);
        assert_eq!((name(&left), left.status()), ("send", axum::http::StatusCode::GONE));
        // A kind becomes the same error again.
        assert_eq!(name(&ErrorKind::from(AccessDenied::Forbidden).into()), "forbidden");

        assert!(prices(hub, &policy, request).await.is_ok());
    }
}
