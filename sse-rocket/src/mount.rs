//! Ready-made routes over a hub, and who may use them: see [`mount()`].

use rocket::{
    Data, Request, Route,
    data::ToByteUnit,
    http::Method,
    response::Responder,
    route::{Handler, Outcome},
};
use sse_core::__private::{BodyError, MountResponse};

use crate::{
    Sse,
    error::text,
    request::{headers, method, uri},
};

pub use sse_core::mount::*;

sse_core::__define_mount!(
    r#"use sse_rocket::{Hub, Pattern, Topic, mount, mount::{AccessDenied, AccessRequest, Permit}};
use rocket::Request;

fn access(request: &Request<'_>, _: &AccessRequest) -> Result<Permit, AccessDenied> {
    let tenant = request.headers().get_one("x-tenant").ok_or(AccessDenied::Unauthorized)?;
    let own = Topic::from_parts(["tenant", tenant])?;
    Ok(Permit::read(Pattern::below(&own)?)?)
}

let hub = Hub::memory();
let rocket = rocket::build().mount("/events", mount(hub, access));
# let _ = rocket;"#,
    for<'r> Access<Request<'r>>
);

/// All methods with which a target can be requested; Rocket makes a GET of a HEAD that has no route of its own.
pub(crate) const METHODS: [Method; 8] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Options,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Trace,
];

impl<A: for<'r> Access<Request<'r>>> From<Mount<A>> for Vec<Route> {
    fn from(mount: Mount<A>) -> Self {
        METHODS.map(|method| Route::new(method, "/", mount.clone())).into()
    }
}

#[rocket::async_trait]
impl<A: for<'r> Access<Request<'r>>> Handler for Mount<A> {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let answer = self.respond(request, data).await;
        let response = match answer {
            MountResponse::Stream(stream) => Sse::from(*stream).respond_to(request),
            MountResponse::Text(response) => text(*response),
        };
        response.map_or_else(Outcome::Error, Outcome::Success)
    }
}

impl<A: for<'r> Access<Request<'r>>> Mount<A> {
    async fn respond(&self, request: &Request<'_>, data: Data<'_>) -> MountResponse {
        let asked = match self.routes.ask(&method(request), &headers(request), &uri(request)) {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        let decide = async { self.access.permit(request, &asked.ask).await };
        self.routes.answer(&asked, decide, body(data, self.routes.max_body())).await
    }
}

async fn body(data: Data<'_>, most: usize) -> Result<Vec<u8>, BodyError> {
    match data.open(most.bytes()).into_bytes().await {
        Ok(body) if body.is_complete() => Ok(body.into_inner()),
        Ok(_) => Err(BodyError::TooLong),
        Err(_) => Err(BodyError::Broken),
    }
}
