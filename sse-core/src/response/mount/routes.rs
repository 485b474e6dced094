use std::{fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll};

use bytes::Buf;
use futures_core::Stream;
use http::{HeaderMap, Method, Response, StatusCode, Uri};

use super::{
    AccessDenied, AccessKind, AccessRequest, Permit,
    preflight::{Preflight, text},
};
use crate::{
    Error,
    error::error_json,
    history::{IntoPatterns, InvalidTopic, Pattern},
    hub::{Hub, Receipt},
    panic::Panic,
    request::{Cors, OriginPolicy, SseRequest},
    response::{EventStream, headers::allow},
    wire::Event,
};

/// The mounted routes of an adapter, independent of its framework.
#[derive(Clone)]
pub struct Routes {
    hub: Hub,
    preflight: Preflight,
    topics: Option<Arc<[Pattern]>>,
    publishes: bool,
    max_body: usize,
    stream: Option<Arc<dyn Fn(EventStream) -> EventStream + Send + Sync>>,
}

/// A parsed request.
#[derive(Debug, Clone)]
pub struct MountRequest {
    /// The request to the access hook.
    pub ask: AccessRequest,
    request: SseRequest,
    cors: Cors,
}

/// A response for the adapter to return.
#[derive(Debug)]
pub enum MountResponse {
    /// A stream, or the response in its place.
    Stream(Box<EventStream>),
    /// Any other response.
    Text(Box<Response<String>>),
}

/// The reason why a request's body is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The client aborted the body.
    Broken,
    /// The body is longer than allowed.
    TooLong,
}

impl Routes {
    /// Creates routes over a hub: for reading only, and for pages of the same origin.
    #[must_use]
    pub fn new(hub: Hub) -> Self {
        let preflight = Preflight::new(OriginPolicy::same_origin());
        Self { hub, preflight, topics: None, publishes: false, max_body: 1 << 20, stream: None }
    }

    /// Sets the origins from which the routes may be used.
    #[must_use]
    pub fn origins(self, origins: OriginPolicy) -> Self {
        Self { preflight: self.preflight.with_policy(origins), ..self }
    }

    /// Sets the topics, in place of those in the query.
    ///
    /// # Errors
    /// [`InvalidTopic`] if one is not valid, or there is none.
    pub fn topics(self, topics: impl IntoPatterns) -> Result<Self, InvalidTopic> {
        let topics = topics.into_patterns()?;
        if topics.is_empty() {
            return Err(InvalidTopic::Missing);
        }
        Ok(Self { topics: Some(topics.into()), ..self })
    }

    /// Enables POST for principals whose permit allows publishing, with a body of at most `max_body` bytes.
    #[must_use]
    pub fn publish(self, max_body: usize) -> Self {
        Self { preflight: self.preflight.post(), publishes: true, max_body, ..self }
    }

    /// Sets options of all streams.
    #[must_use]
    pub fn stream(self, options: impl Fn(EventStream) -> EventStream + Send + Sync + 'static) -> Self {
        Self { stream: Some(Arc::new(options)), ..self }
    }

    /// Returns the maximum length of a body in bytes.
    #[must_use]
    pub fn max_body(&self) -> usize {
        self.max_body
    }

    /// Parses a request. Returns the question for the access hook, or the response if there is nothing to
    /// decide.
    ///
    /// # Errors
    /// The response, if there is nothing to decide.
    pub fn ask(
        &self,
        method: &Method,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<MountRequest, MountResponse> {
        let request = SseRequest::new(method, uri, headers);
        let checked = self.preflight.policy().check(&request);
        let cors = checked.map_err(|error| MountResponse::error(error, &Cors::default()))?;
        let action = match *method {
            Method::GET | Method::HEAD => AccessKind::Subscribe,
            Method::POST if self.publishes => AccessKind::Publish,
            Method::OPTIONS => {
                return Err(MountResponse::Text(Box::new(self.preflight.options(headers, &cors))));
            }
            _ => return Err(MountResponse::Text(Box::new(self.preflight.not_allowed_with(&cors)))),
        };
        match AccessRequest::read(action, uri.query(), self.topics.as_deref()) {
            Ok(ask) => Ok(MountRequest { ask, request, cors }),
            Err(error) => Err(MountResponse::error(error, &cors)),
        }
    }

    /// Answers a request: calls the access hook, and reads the body only to publish it.
    ///
    /// `decide` calls the hook. A panic of the hook, of its permit's terms or of the options that
    /// [`stream`](Routes::stream) set is answered as a failure.
    pub async fn answer(
        &self,
        asked: &MountRequest,
        decide: impl Future<Output = Result<Permit, AccessDenied>>,
        body: impl Future<Output = Result<Vec<u8>, BodyError>>,
    ) -> MountResponse {
        let answering = self.decided(asked, decide, body);
        let mut answering = pin!(answering);
        let answer = poll_fn(|cx| match Panic::catch(|| answering.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        answer.await.unwrap_or_else(|panic| self.failed(asked, panic))
    }

    async fn decided(
        &self,
        asked: &MountRequest,
        decide: impl Future<Output = Result<Permit, AccessDenied>>,
        body: impl Future<Output = Result<Vec<u8>, BodyError>>,
    ) -> MountResponse {
        let MountRequest { ask, request, cors } = asked.clone();
        let permit = match decide.await.and_then(|permit| permit.check(&ask).map(|()| permit)) {
            Ok(permit) => permit,
            Err(denied) => return MountResponse::error(denied, &cors),
        };
        match ask.action() {
            AccessKind::Subscribe => match self.subscribe(ask, request, permit).await {
                Ok(stream) => MountResponse::Stream(Box::new(stream)),
                Err(error) => MountResponse::error(error, &cors),
            },
            AccessKind::Publish => {
                match body.await.and_then(|body| String::from_utf8(body).map_err(|_| BodyError::Broken)) {
                    Ok(text) => match self.publish_text(ask, &text).await {
                        Ok(receipt) => MountResponse::text(StatusCode::OK, receipt_json(&receipt), &cors),
                        Err(error) => MountResponse::error(error, &cors),
                    },
                    Err(error) => self.bad_body(error, &cors),
                }
            }
        }
    }

    /// Answers after a panic: an `EventSource` gets a stream that fails, so that it reconnects; other clients
    /// get a status.
    fn failed(&self, asked: &MountRequest, panic: Panic) -> MountResponse {
        tracing::error!(error = %panic, "a mounted route failed");
        let MountRequest { ask, request, cors } = asked;
        match request.negotiated(false) {
            Some(negotiated) if ask.action() == AccessKind::Subscribe => {
                let failed = self.hub.failed(panic, negotiated, cors.clone());
                MountResponse::Stream(Box::new(EventStream::new(failed)))
            }
            _ => {
                let message = "server: it failed to answer; try again later";
                MountResponse::text(StatusCode::INTERNAL_SERVER_ERROR, error_json(message), cors)
            }
        }
    }

    async fn subscribe(
        &self,
        ask: AccessRequest,
        request: SseRequest,
        permit: Permit,
    ) -> Result<EventStream, Error> {
        let subscribe = self.hub.subscribe(ask.topics().to_vec()).request(request).start(ask.start);
        let subscribe = subscribe.origins(self.preflight.policy());
        let stream = EventStream::new(permit.apply(subscribe).await?);
        Ok(match &self.stream {
            Some(options) => options(stream),
            None => stream,
        })
    }

    async fn publish_text(&self, ask: AccessRequest, text: &str) -> Result<Receipt, Error> {
        let event = match &ask.event_type {
            Some(event_type) => Event::message(text).event(event_type),
            None => Event::message(text),
        };
        let topics = ask.topics().iter().cloned().map(Pattern::into_topic).collect::<Result<Vec<_>, _>>()?;
        let publish = self.hub.publish(topics, event);
        Ok(match ask.key {
            Some(key) => publish.key(key).await?,
            None => publish.await?,
        })
    }

    fn bad_body(&self, error: BodyError, cors: &Cors) -> MountResponse {
        let (status, message) = match error {
            BodyError::Broken => {
                (StatusCode::BAD_REQUEST, "body: broken off or not UTF-8; send text".to_owned())
            }
            BodyError::TooLong => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("body: more than {} bytes; send less", self.max_body))
            }
        };
        MountResponse::text(status, error_json(&message), cors)
    }
}

impl MountResponse {
    fn error(error: impl Into<Error>, cors: &Cors) -> Self {
        let mut response = error.into().into_response();
        allow(response.headers_mut(), cors);
        Self::Text(Box::new(response))
    }

    fn text(status: StatusCode, json: String, cors: &Cors) -> Self {
        Self::Text(Box::new(text(status, json, cors)))
    }
}

fn receipt_json(receipt: &Receipt) -> String {
    let receivers = receipt.receivers.map_or_else(|| "null".to_owned(), |receivers| receivers.to_string());
    let duplicate = if receipt.duplicate { ",\"duplicate\":true" } else { "" };
    format!("{{\"id\":\"{}\",\"receivers\":{receivers}{duplicate}}}", receipt.cursor)
}

/// Collects a body of at most `max` bytes.
///
/// # Errors
/// [`BodyError`].
pub async fn collect<B: Buf, E>(
    body: impl Stream<Item = Result<B, E>>,
    max: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let mut chunk = chunk.map_err(|_| BodyError::Broken)?;
        if chunk.remaining() > max - bytes.len() {
            return Err(BodyError::TooLong);
        }
        while chunk.has_remaining() {
            let part = chunk.chunk();
            bytes.extend_from_slice(part);
            let len = part.len();
            chunk.advance(len);
        }
    }
    Ok(bytes)
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topics, publishes, .. } = self;
        f.debug_struct("Routes").field("topics", topics).field("publishes", publishes).finish_non_exhaustive()
    }
}
