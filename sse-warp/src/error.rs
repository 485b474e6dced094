use warp::reply::{Reply, Response};

sse_core::__define_error!("sse_warp");

impl Reply for Error {
    fn into_response(self) -> Response {
        self.into_inner().into_response().map(Into::into)
    }
}
