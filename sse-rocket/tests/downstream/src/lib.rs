//! An application that depends on `sse-rocket` and its framework alone: everything it needs has a name there.
//!
//! What only the adapter's own macros need has none:
//!
//! ```compile_fail,E0432
//! use sse_rocket::__private;
//! ```
//!
//! ```compile_fail,E0432
//! use sse_rocket::__define_sse;
//! ```

use rocket::{
    Request,
    http::Status,
    response::{self, Responder},
};
use sse_rocket::{
    ErrorKind, Event, Hub, Sse, SseRequest, Topic,
    error::{PublishError, SubscribeError},
    mount::AccessDenied,
    origin::OriginPolicy,
};

/// The application's own error type: one `From` of its own for the adapter's, and the macro for the rest.
#[derive(Debug)]
pub enum AppError {
    /// From the adapter.
    Events(sse_rocket::Error),
    /// From elsewhere.
    Io(std::io::Error),
}

impl From<sse_rocket::Error> for AppError {
    fn from(error: sse_rocket::Error) -> Self {
        Self::Events(error)
    }
}

impl From<std::io::Error> for AppError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

sse_rocket::convert_errors!(sse_rocket::Error => AppError);

impl<'r> Responder<'r, 'static> for AppError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            Self::Events(error) => error.respond_to(request),
            Self::Io(_) => Err(Status::InternalServerError),
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
pub async fn prices(hub: Hub, policy: &OriginPolicy, request: SseRequest) -> sse_rocket::Result {
    policy.check(&request)?;
    Ok(Sse::new(hub.subscribe("prices").request(request).await?))
}

/// A name for what went wrong.
#[must_use]
pub fn name(error: &sse_rocket::Error) -> &'static str {
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
    use rocket::{http::Header, local::asynchronous::Client, request::FromRequest};

    use super::*;

    const _: () = {
        const fn converts<E>()
        where
            sse_rocket::Error: From<E>,
            AppError: From<E>,
        {
        }
        converts::<sse_rocket::mount::AccessDenied>();
        converts::<sse_rocket::origin::ForbiddenOrigin>();
        converts::<sse_rocket::history::HistoryError>();
        converts::<sse_rocket::error::InvalidCursor>();
        converts::<sse_rocket::error::InvalidEvent>();
        converts::<sse_rocket::error::InvalidEventId>();
        converts::<sse_rocket::error::InvalidEventType>();
        converts::<sse_rocket::origin::InvalidOrigin>();
        converts::<sse_rocket::error::InvalidTopic>();
        converts::<sse_rocket::error::PublishError>();
        converts::<sse_rocket::error::RunError>();
        converts::<sse_rocket::channel::SendError>();
        converts::<sse_rocket::error::SubscribeError>();
    };

    /// What the extractor makes of a request from a page of this origin.
    async fn extracted(origin: &str) -> SseRequest {
        let client = Client::untracked(rocket::build()).await.unwrap();
        let request = client.get("/").header(Header::new("host", "app.example"));
        let request = request.header(Header::new("origin", origin.to_owned()));
        SseRequest::from_request(request.inner()).await.unwrap()
    }

    fn refused(result: Result<(), AppError>) -> sse_rocket::Error {
        match result {
            Err(AppError::Events(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[rocket::async_test]
    async fn errors_are_matched_and_answered() {
        let hub = Hub::memory();
        let policy = OriginPolicy::builder().origin("https://page.example").build().unwrap();
        let request = extracted("https://page.example").await;
        publish(&hub, &policy, &request, "prices").await.unwrap();

        let elsewhere =
            refused(publish(&hub, &policy, &extracted("https://evil.example").await, "prices").await);
        assert_eq!((name(&elsewhere), elsewhere.status()), ("origin", Status::Forbidden));
        let topic = refused(publish(&hub, &policy, &request, "a..b").await);
        assert_eq!((name(&topic), topic.status()), ("topic", Status::BadRequest));
        assert!(matches!(topic.into_kind(), ErrorKind::Topic(_)));

        let unknown = sse_rocket::Error::from(hub.subscribe("b").existing().await.unwrap_err());
        assert_eq!((name(&unknown), unknown.status()), ("unknown topic", Status::NotFound));
        // A kind becomes the same error again.
        assert_eq!(name(&ErrorKind::from(AccessDenied::Forbidden).into()), "forbidden");

        assert!(prices(hub, &policy, request).await.is_ok());
    }
}
