//! An application that depends on `sse-poem` and its framework alone: everything it needs has a name there.
//!
//! What only the adapter's own macros need has none:
//!
//! ```compile_fail,E0432
//! use sse_poem::__private;
//! ```
//!
//! ```compile_fail,E0432
//! use sse_poem::__define_sse;
//! ```

use poem::{IntoResponse, Response};
use sse_poem::{
    ErrorKind, Event, Hub, Sse, SseRequest, Topic,
    error::{PublishError, SubscribeError},
    mount::AccessDenied,
    origin::OriginPolicy,
};

/// The application's own error type: one `From` of its own for the adapter's, and the macro for the rest.
#[derive(Debug)]
pub enum AppError {
    /// From the adapter.
    Events(sse_poem::Error),
    /// From elsewhere.
    Io(std::io::Error),
}

impl From<sse_poem::Error> for AppError {
    fn from(error: sse_poem::Error) -> Self {
        Self::Events(error)
    }
}

impl From<std::io::Error> for AppError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

sse_poem::convert_errors!(sse_poem::Error => AppError);

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match self {
            Self::Events(error) => error.into_response(),
            Self::Io(_) => poem::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
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
pub async fn prices(hub: Hub, policy: &OriginPolicy, request: SseRequest) -> sse_poem::Result {
    policy.check(&request)?;
    Ok(Sse::new(hub.subscribe("prices").request(request).await?))
}

/// A name for what went wrong.
#[must_use]
pub fn name(error: &sse_poem::Error) -> &'static str {
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
    use poem::{FromRequest, Request};

    use super::*;

    const _: () = {
        const fn converts<E>()
        where
            sse_poem::Error: From<E>,
            AppError: From<E>,
        {
        }
        converts::<sse_poem::mount::AccessDenied>();
        converts::<sse_poem::origin::ForbiddenOrigin>();
        converts::<sse_poem::history::HistoryError>();
        converts::<sse_poem::error::InvalidCursor>();
        converts::<sse_poem::error::InvalidEvent>();
        converts::<sse_poem::error::InvalidEventId>();
        converts::<sse_poem::error::InvalidEventType>();
        converts::<sse_poem::origin::InvalidOrigin>();
        converts::<sse_poem::error::InvalidTopic>();
        converts::<sse_poem::error::PublishError>();
        converts::<sse_poem::error::RunError>();
        converts::<sse_poem::channel::SendError>();
        converts::<sse_poem::error::SubscribeError>();
    };

    /// What the extractor makes of a request from a page of this origin.
    async fn extracted(origin: &str) -> SseRequest {
        let request = Request::builder().header("host", "app.example").header("origin", origin).finish();
        SseRequest::from_request_without_body(&request).await.unwrap()
    }

    fn refused(result: Result<(), AppError>) -> sse_poem::Error {
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
        assert_eq!((name(&elsewhere), elsewhere.status()), ("origin", poem::http::StatusCode::FORBIDDEN));
        let topic = refused(publish(&hub, &policy, &request, "a..b").await);
        assert_eq!((name(&topic), topic.status()), ("topic", poem::http::StatusCode::BAD_REQUEST));
        assert!(matches!(topic.into_kind(), ErrorKind::Topic(_)));

        let unknown = sse_poem::Error::from(hub.subscribe("b").existing().await.unwrap_err());
        assert_eq!((name(&unknown), unknown.status()), ("unknown topic", poem::http::StatusCode::NOT_FOUND));
        // A kind becomes the same error again.
        assert_eq!(name(&ErrorKind::from(AccessDenied::Forbidden).into()), "forbidden");

        assert!(prices(hub, &policy, request).await.is_ok());
    }
}
