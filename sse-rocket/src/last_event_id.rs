use std::convert::Infallible;

use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

sse_core::__define_last_event_id!("sse_rocket");

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEventId {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let headers = request.headers();
        let last = headers.get_one("last-event-id").map(str::as_bytes);
        let accept: Vec<_> = headers.get("accept").collect();
        let accept = (!accept.is_empty()).then(|| accept.join(","));
        let accept = accept.as_deref().map(str::as_bytes);
        let query = request.uri().query().map(|query| query.as_str());
        let last = sse_core::LastEventId::from_request(last, accept, query);
        #[cfg(feature = "compress")]
        let last = {
            let codings: Vec<_> = headers.get("accept-encoding").collect();
            last.with_accept_encoding(
                (!codings.is_empty()).then(|| codings.join(",")).as_deref().map(str::as_bytes),
            )
        };
        Outcome::Success(Self(last))
    }
}
