//! The status and the headers of a response.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    headers::{allow, vary},
    source::Source,
    stream::{Options, jittered},
};
use crate::{
    hub::{EndReason, gap_json},
    request::Form,
};

/// The cache rules for an event stream, and for anything else. A page, JSON lines or a refusal is meant for one
/// request at one moment; a browser that stores it would show it again on the way back.
const STREAM_CACHING: &str = "no-cache, no-transform";
const OTHER_CACHING: &str = "no-store, no-transform";

/// The header that repeats a gap, for clients that can read headers.
const SSE_GAP: HeaderName = HeaderName::from_static("sse-gap");

/// The header that makes nginx pass each chunk on at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The kind of a response.
pub(super) enum Answer {
    /// The events, in this form.
    Events(Form),
    /// The reader has all events of finished topics: 204, so that an `EventSource` does not reconnect.
    NoContent,
    /// A client that is not an `EventSource` was refused for this reason: 503.
    Unavailable(EndReason),
}

impl Answer {
    /// Returns the response to the reader of this source.
    pub(super) fn to(source: &Source) -> Self {
        let negotiated = source.negotiated();
        if let Some(end) = source.refusal().filter(|_| !negotiated.is_event_source) {
            return Self::Unavailable(end.clone());
        }
        match source.subscription() {
            Some(subscription) if subscription.is_no_content() => Self::NoContent,
            _ => Self::Events(negotiated.form),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Events(_) => StatusCode::OK,
            Self::NoContent => StatusCode::NO_CONTENT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the headers, without the content's encoding.
    pub(super) fn headers(&self, source: &Source, options: &Options) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(5);
        if let Some(subscription) = source.subscription() {
            // `Accept` decides about the form, and whether a refusal is a status.
            vary(&mut headers, "accept");
            if let Some(gap) = subscription.gap().and_then(|gap| HeaderValue::try_from(gap_json(gap)).ok()) {
                headers.insert(SSE_GAP, gap);
            }
            if let Some(cors) = subscription.cors() {
                allow(&mut headers, cors);
            }
        }
        if let Self::Unavailable(_) = self {
            // In whole seconds, jittered in the same way as a `retry`.
            headers.insert(header::RETRY_AFTER, jittered(options.retry).div_ceil(1_000).into());
        }
        let caching = match self {
            Self::Events(Form::Stream) | Self::NoContent => STREAM_CACHING,
            Self::Events(_) | Self::Unavailable(_) => OTHER_CACHING,
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        if let Some(content_type) = self.content_type() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Self::Events(_) = self {
            headers.insert(BUFFERING, HeaderValue::from_static("no"));
        }
        if options.varies_by_encoding {
            vary(&mut headers, "accept-encoding");
        }
        headers
    }

    fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Events(Form::Stream) => Some("text/event-stream"),
            Self::Events(Form::Lines) => Some("application/x-ndjson"),
            Self::Events(Form::Page) | Self::Unavailable(_) => Some("application/json"),
            Self::NoContent => None,
        }
    }
}
