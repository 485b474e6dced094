sse_core::__define_last_event_id!("sse_warp");

impl LastEventId {
    /// Reads a request's headers and query string.
    pub(crate) fn from_request(headers: &warp::http::HeaderMap, query: Option<&str>) -> Self {
        Self(sse_core::LastEventId::from_headers(headers, query))
    }
}
