use std::sync::Arc;

use poem::{EndpointExt, IntoEndpoint, IntoResponse, Response, RouteMethod};

/// A route for GET and HEAD. Use it in place of [`poem::get`], which hides from a handler that the request is a
/// HEAD.
///
/// [`SseRequest`](crate::SseRequest) then holds the method, and a subscription for a HEAD has no effects.
///
/// ```
/// use poem::{Route, handler, web::Data};
/// use sse_poem::{Hub, Sse, SseRequest, get};
///
/// #[handler]
/// async fn prices(hub: Data<&Hub>, request: SseRequest) -> sse_poem::Result {
///     Ok(Sse::new(hub.subscribe("prices").request(request).await?))
/// }
///
/// let app = Route::new().at("/prices", get(prices));
/// # let _ = app;
/// ```
pub fn get<E>(endpoint: E) -> RouteMethod
where
    E: IntoEndpoint,
    E::Endpoint: 'static,
{
    let endpoint = Arc::new(endpoint.into_endpoint());
    poem::get(Arc::clone(&endpoint)).head(endpoint.map_to_response().after(without_body))
}

async fn without_body(response: poem::Result<Response>) -> poem::Result<Response> {
    let mut response = response?.into_response();
    response.set_body(());
    Ok(response)
}
