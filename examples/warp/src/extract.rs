use std::convert::Infallible;

use bytes::Buf;
use example_common::{MAX_BODY, Query, refusal};
use futures_util::{Stream, StreamExt, pin_mut};

use warp::{
    Filter, Rejection,
    http::StatusCode,
    reject::{self, Reject},
    reply::{self, Reply},
};

/// The query: Warp's own filter takes each name only once, and `topic` may be given several times.
pub(crate) fn query() -> impl Filter<Extract = (Query,), Error = Infallible> + Clone {
    let raw = warp::query::raw().or(warp::any().map(String::new)).unify();
    raw.map(|raw: String| Query::parse(&raw))
}

/// The body as text: Warp's own limit requires a `content-length`, which a client need not send.
pub(crate) fn text() -> impl Filter<Extract = (String,), Error = Rejection> + Clone {
    warp::body::stream().and_then(read)
}

async fn read(chunks: impl Stream<Item = Result<impl Buf, warp::Error>>) -> Result<String, Rejection> {
    pin_mut!(chunks);
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let mut chunk = chunk.map_err(|_| reject::custom(Refused(StatusCode::BAD_REQUEST)))?;
        if body.len() + chunk.remaining() > MAX_BODY {
            return Err(reject::custom(Refused(StatusCode::PAYLOAD_TOO_LARGE)));
        }
        body.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    String::from_utf8(body).map_err(|_| reject::custom(Refused(StatusCode::BAD_REQUEST)))
}

#[derive(Debug)]
struct Refused(StatusCode);

impl Reject for Refused {}

/// Answers a body that could not be read as JSON; every other rejection is left to Warp.
pub(crate) async fn refused(rejection: Rejection) -> Result<impl Reply, Rejection> {
    match rejection.find() {
        Some(Refused(status)) => Ok(reply::with_status(reply::json(&refusal(status.as_u16())), *status)),
        None => Err(rejection),
    }
}
