use std::convert::Infallible;

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, request::Parts},
};
use example_common::refusal;
use serde_json::Value;

/// The query: Axum's own extractor takes each name only once, and `topic` may be given several times.
pub(crate) struct Query(pub(crate) example_common::Query);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(example_common::Query::parse(parts.uri.query().unwrap_or_default())))
    }
}

/// The body as text: Axum's own extractor, with its refusal as JSON.
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = (StatusCode, Json<Value>);

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let text = String::from_request(request, state).await;
        text.map(Self).map_err(|refused| (refused.status(), Json(refusal(refused.status().as_u16()))))
    }
}
