//! Ready-made routes over a hub, and who may use them: see [`mount()`].

use sse_core::__private::{MountResponse, collect};
use warp::{
    Filter, Rejection,
    http::Request,
    reply::{Reply, Response},
};

use crate::{Sse, filters::request};

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
        mount.and(request()).and(warp::body::stream()).then(
            async |mount: Self, request: Request<()>, body| {
                let asked = match mount.routes.ask(request.method(), request.headers(), request.uri()) {
                    Ok(asked) => asked,
                    Err(answer) => return respond(answer),
                };
                let decide = async { mount.access.permit(&request, &asked.ask).await };
                let body = collect(body, mount.routes.max_body());
                respond(mount.routes.answer(&asked, decide, body).await)
            },
        )
    }
}

fn respond(answer: MountResponse) -> Response {
    match answer {
        MountResponse::Stream(stream) => Sse::from(*stream).into_response(),
        MountResponse::Text(response) => (*response).map(Into::into),
    }
}
