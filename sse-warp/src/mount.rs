//! Ready-made routes over a hub, and who may use them: see [`mount()`].

use sse_core::__private::{MountResponse, collect};
use warp::{
    Filter, Rejection,
    http::{HeaderMap, Method, Request},
    path::FullPath,
    reply::{Reply, Response},
};

use crate::{Sse, filters::head};

pub use sse_core::mount::*;

sse_core::__define_mount!(
    r#"use sse_warp::{Hub, Pattern, Topic, mount, mount::{AccessDenied, AccessRequest, Permit}};
use warp::{Filter, http::Request};

fn access(request: &Request<()>, _: &AccessRequest) -> Result<Permit, AccessDenied> {
    let tenant = request.headers().get("x-tenant").and_then(|name| name.to_str().ok()).ok_or(AccessDenied::Unauthorized)?;
    let own = Topic::from_parts(["tenant", tenant])?;
    Ok(Permit::read(Pattern::below(&own)?)?)
}

let hub = Hub::memory();
let route = warp::path!("events").and(mount(hub, access).into_filter());
# let _ = route;"#,
    Access<Request<()>>
);

impl<A: Access<Request<()>>> Mount<A> {
    /// Returns the routes as a filter, which takes every method and rejects nothing.
    #[must_use = "a filter does nothing until it is part of a route"]
    pub fn into_filter(self) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
        let mount = warp::any().map(move || self.clone());
        let request = warp::method().and(warp::path::full()).and(head()).map(request);
        mount.and(request).and(warp::body::stream()).then(async |mount: Self, request: Request<()>, body| {
            let asked = match mount.routes.ask(request.method(), request.headers(), request.uri()) {
                Ok(asked) => asked,
                Err(answer) => return respond(answer),
            };
            let decide = async { mount.access.permit(&request, &asked.ask).await };
            let body = collect(body, mount.routes.max_body());
            respond(mount.routes.answer(&asked, decide, body).await)
        })
    }
}

/// Returns the request from the parts that Warp's filters extract.
pub(crate) fn request(
    method: Method,
    path: FullPath,
    headers: HeaderMap,
    query: Option<String>,
) -> Request<()> {
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

fn respond(answer: MountResponse) -> Response {
    match answer {
        MountResponse::Stream(stream) => Sse::from(*stream).into_response(),
        MountResponse::Text(response) => (*response).map(Into::into),
    }
}
