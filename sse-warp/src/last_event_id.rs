sse_core::__define_last_event_id!("sse_warp");

impl LastEventId {
    /// Reads a request's method, headers and query string.
    pub(crate) fn from_request(
        method: &warp::http::Method,
        headers: &warp::http::HeaderMap,
        query: Option<&str>,
    ) -> Self {
        Self(sse_core::LastEventId::from_headers(headers, query).with_method(method))
    }
}
