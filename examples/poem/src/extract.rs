use example_common::{MAX_BODY, refusal};
use poem::{
    Error, FromRequest, IntoResponse, Request, RequestBody, Result, error::ResponseError, http::StatusCode,
    web::Json,
};

/// The query: Poem's own extractor takes each name only once, and `topic` may be given several times.
pub(crate) struct Query(pub(crate) example_common::Query);

impl<'a> FromRequest<'a> for Query {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Self(example_common::Query::parse(request.uri().query().unwrap_or_default())))
    }
}

/// The body as text: Poem's own extractor has no limit, and refuses without JSON.
pub(crate) struct Text(pub(crate) String);

impl<'a> FromRequest<'a> for Text {
    async fn from_request(_: &'a Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = body.take()?.into_bytes_limit(MAX_BODY).await.map_err(|error| refused(error.status()))?;
        String::from_utf8(bytes.into()).map(Self).map_err(|_| refused(StatusCode::BAD_REQUEST))
    }
}

fn refused(status: StatusCode) -> Error {
    Error::from_response(Json(refusal(status.as_u16())).with_status(status).into_response())
}
