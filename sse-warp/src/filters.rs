use std::convert::Infallible;

use sse_core::IntoEventStream;
use warp::{
    Filter, Rejection,
    host::Authority,
    http::{HeaderMap, HeaderValue, Method, Request, header::HOST},
    path::FullPath,
};

use crate::{LastEventId, Sse, SseRequest};

/// Extracts the request for a hub's subscription; never rejects.
///
/// ```
/// use sse_warp::{Hub, Sse, SseRequest};
/// use warp::Filter;
///
/// async fn prices(hub: Hub, request: SseRequest) -> sse_warp::Result {
///     Ok(Sse::new(hub.subscribe("prices").request(request).await?))
/// }
///
/// let hub = Hub::memory();
/// let hub = warp::any().map(move || hub.clone());
/// let route = warp::path!("prices").and(sse_warp::get()).and(hub).and(sse_warp::sse_request()).then(prices);
/// # let _ = route;
/// ```
#[must_use = "a filter does nothing until it is part of a route"]
pub fn sse_request() -> impl Filter<Extract = (SseRequest,), Error = Infallible> + Clone {
    request().map(|request| SseRequest::of(&request))
}

/// Extracts the id of the last event that the client received; never rejects, unlike Warp's own filter of this name.
///
/// For a plain stream whose events have ids of your own; a hub's subscription takes an [`sse_request`].
///
/// ```
/// use sse_warp::{Event, LastEventId, Sse};
/// use warp::Filter;
///
/// async fn numbers(last: LastEventId) -> Sse {
///     let next = last.as_str().and_then(|id| id.parse::<u64>().ok()).map_or(0, |last| last + 1);
///     Sse::new(futures_util::stream::iter((next..next + 10).map(|n| Event::json(n).id(n))))
/// }
///
/// let route = warp::path!("numbers").and(sse_warp::get()).and(sse_warp::last_event_id()).then(numbers);
/// # let _ = route;
/// ```
#[must_use = "a filter does nothing until it is part of a route"]
pub fn last_event_id() -> impl Filter<Extract = (LastEventId,), Error = Infallible> + Clone {
    request().map(|request| LastEventId::of(&request))
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

/// Extracts the request without its body.
pub(crate) fn request() -> impl Filter<Extract = (Request<()>,), Error = Infallible> + Clone {
    warp::any().and(warp::method()).and(warp::path::full()).and(head()).map(from_parts)
}

/// Returns the request from the parts that Warp's filters extract.
fn from_parts(method: Method, path: FullPath, headers: HeaderMap, query: Option<String>) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    let target = match &query {
        Some(query) => format!("{}?{query}", path.as_str()),
        None => path.as_str().to_owned(),
    };
    // Both parts were read from a target, so together they are a target.
    *request.uri_mut() = target.parse().unwrap_or_default();
    request
}

/// Extracts the request's headers and query; an HTTP/2 request has its host elsewhere.
fn head() -> impl Filter<Extract = (HeaderMap, Option<String>), Error = Infallible> + Clone {
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
