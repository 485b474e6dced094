use std::convert::Infallible;

use sse_core::IntoEventStream;
use warp::Filter;

use crate::{LastEventId, Sse};

/// Extracts where the request left off; it never rejects, unlike Warp's own filter of this name.
pub fn last_event_id() -> impl Filter<Extract = (LastEventId,), Error = Infallible> + Clone {
    let query = warp::query::raw().map(Some).or(warp::any().map(|| None)).unify();
    warp::header::headers_cloned()
        .and(query)
        .map(|headers, query: Option<String>| LastEventId::from_request(&headers, query.as_deref()))
}

/// A response of a stream of events or frames, a subscription, or a channel's receiver: [`Sse::new`] in Warp's words.
pub fn reply(events: impl IntoEventStream) -> Sse {
    Sse::new(events)
}
