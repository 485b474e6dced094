use super::subscribe::Subscribe;
use crate::request::SseRequest;

impl Subscribe {
    /// Answers this request: resumes after its last event id, checks its [origin](Subscribe::origins), and prepares the
    /// response for what its client accepts.
    ///
    /// An id that is not a cursor of the hub is never an error: it is reported as a gap. If the request is a
    /// [probe](SseRequest::is_probe), such as HEAD, the subscription reads nothing and has no effects. So pass the
    /// request wherever there is one; [`after`](Subscribe::after) alone is for readers without a request.
    ///
    /// ```
    /// use sse_core::{Error, EventStream, Hub, SseRequest};
    ///
    /// async fn prices(hub: Hub, request: SseRequest) -> Result<EventStream, Error> {
    ///     Ok(EventStream::new(hub.subscribe("prices").request(request).await?))
    /// }
    /// ```
    pub fn request(mut self, request: impl Into<SseRequest>) -> Self {
        self.request = request.into();
        self
    }

    /// Lets the request's `Accept` header select another form than an event stream: JSON lines or a page of JSON, for
    /// clients that cannot read event streams. See [`docs::fallbacks`](crate::docs::fallbacks).
    ///
    /// Without this, every request is answered with an event stream, unless its `Accept` header
    /// [excludes](SseRequest::excludes_stream) event streams.
    #[cfg(feature = "fallbacks")]
    pub fn fallbacks(mut self) -> Self {
        self.has_fallbacks = true;
        self
    }
}
