use std::convert::Infallible;

use sse_core::IntoEventStream;
use warp::{
    Filter, Rejection,
    host::Authority,
    http::{HeaderMap, HeaderValue, header::HOST},
};

use crate::{LastEventId, Sse};

/// Extracts the position at which the request resumes; never rejects, unlike Warp's own filter of this name.
///
/// ```
/// use sse_warp::{Hub, LastEventId, Sse};
/// use warp::Filter;
///
/// async fn prices(hub: Hub, last: LastEventId) -> sse_warp::Result {
///     Ok(Sse::new(hub.subscribe("prices").after(last).await?))
/// }
///
/// let hub = Hub::memory();
/// let hub = warp::any().map(move || hub.clone());
/// let route = warp::path!("prices").and(sse_warp::get()).and(hub).and(sse_warp::last_event_id()).then(prices);
/// # let _ = route;
/// ```
#[must_use = "a filter does nothing until it is part of a route"]
pub fn last_event_id() -> impl Filter<Extract = (LastEventId,), Error = Infallible> + Clone {
    let method = warp::any().and(warp::method());
    method.and(head()).map(|method, headers, query: Option<String>| {
        LastEventId::from_request(&method, &headers, query.as_deref())
    })
}

/// Matches GET and HEAD. Use it in place of [`warp::get`], which answers a HEAD with 405.
///
/// ```
/// use sse_warp::Event;
/// use warp::Filter;
///
/// let route = warp::path!("hello").and(sse_warp::get()).map(|| {
///     sse_warp::reply(futures_util::stream::iter([Event::message("hello")]))
/// });
/// # let _ = route;
/// ```
#[must_use = "a filter does nothing until it is part of a route"]
pub fn get() -> impl Filter<Extract = (), Error = Rejection> + Copy {
    warp::get().or(warp::head()).unify()
}

/// Extracts the request's headers and query; an HTTP/2 request has its host elsewhere.
pub(crate) fn head() -> impl Filter<Extract = (HeaderMap, Option<String>), Error = Infallible> + Clone {
    let query = warp::query::raw().map(Some).or(warp::any().map(|| None)).unify();
    let host = warp::host::optional().or(warp::any().map(|| None)).unify();
    let headers = warp::header::headers_cloned().and(host).map(with_host);
    headers.and(query)
}

fn with_host(mut headers: HeaderMap, host: Option<Authority>) -> HeaderMap {
    if !headers.contains_key(HOST)
        && let Some(host) = host.and_then(|host| HeaderValue::try_from(host.as_str()).ok())
    {
        headers.insert(HOST, host);
    }
    headers
}

/// Creates a response from a stream of events or frames, a subscription, or a channel's receiver: [`Sse::new`]
/// with Warp's name.
///
/// ```
/// use sse_warp::Event;
/// use warp::Filter;
///
/// let route = warp::path!("hello").map(|| {
///     sse_warp::reply(futures_util::stream::iter([Event::message("hello")]))
/// });
/// # let _ = route;
/// ```
pub fn reply(events: impl IntoEventStream) -> Sse {
    Sse::new(events)
}
