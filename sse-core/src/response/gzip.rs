use bytes::Bytes;

use super::{EventStream, source::Source, stream::Encoding};
use crate::{
    gzip::GzipStream,
    request::{AcceptEncoding, SseRequest},
};

impl EventStream {
    /// Sends gzip to the reader of a [`Subscription`](crate::Subscription) whose [request](crate::Subscribe::request) allows it, flushed
    /// with every chunk; all responses get `Vary: Accept-Encoding`.
    ///
    /// Any other stream, and a subscription without a request, needs
    /// [`compress_for`](EventStream::compress_for).
    ///
    /// # What it costs
    /// Readers of a hub that requested the same topics share one compressor, which compresses each event once,
    /// for any number of readers. The compressor takes about 310 KB and keeps at most 768 KB of its output for
    /// readers that are slightly behind; it is freed after 10 to 20 s without an event. Each reader costs about
    /// 400 bytes more. A reader joins the others where the compressor starts afresh: at once after a pause,
    /// otherwise every 64 events or 64 KiB if a reader waits for it. Until then, and while the reader catches
    /// up, its events are compressed without reference to earlier ones. Data for one reader alone (keep-alives,
    /// checkpoints, events that pass a filter or are read from the history) is sent uncompressed if it is
    /// short, and separates the reader from the others until the compressor starts afresh.
    ///
    /// Every other stream has its own compressor. A process has at most 256 open compressors, about 80 MB;
    /// streams beyond that are valid, but hardly smaller than without compression.
    ///
    /// # When it leaks
    /// The compressed length reveals whether two texts are alike (this attack is called BREACH). Do not
    /// compress streams that contain one user's secret together with text that another person can choose.
    pub fn compress(self) -> Self {
        let accepts = self.source.negotiated().accept_encoding;
        self.gzip(accepts)
    }

    /// Sends gzip if this request allows it, as [`compress`](EventStream::compress) does for a subscription.
    ///
    /// ```
    /// use http::Request;
    /// use sse_core::{Event, EventStream, SseRequest};
    ///
    /// # fn main() -> Result<(), http::Error> {
    /// let ticks = || futures_util::stream::iter([Event::message("tick")]);
    /// let request = Request::get("/ticks").header("accept-encoding", "gzip, deflate, br").body(())?;
    /// let response = EventStream::new(ticks()).compress_for(&SseRequest::from(&request)).into_response();
    /// assert_eq!(response.headers()["content-encoding"], "gzip");
    /// let response = EventStream::new(ticks()).compress_for(&SseRequest::default()).into_response();
    /// assert!(!response.headers().contains_key("content-encoding"));
    /// # Ok(()) }
    /// ```
    pub fn compress_for(self, request: &SseRequest) -> Self {
        self.gzip(request.accept_encoding())
    }

    fn gzip(mut self, accepts: AcceptEncoding) -> Self {
        self.options.varies_by_encoding = true;
        self.options.gzip = accepts.allows_gzip().then_some(|source| Box::new(Gzip::new(source)));
        self
    }
}

/// Compresses a response, by the blocks that readers of the same hub share where there are some.
struct Gzip(GzipStream);

impl Gzip {
    /// Creates the encoding for this source. A subscription shares its blocks with others; any other source gets its
    /// own compressor.
    fn new(source: &mut Source) -> Self {
        Self(match source.subscription_mut() {
            Some(subscription) => {
                subscription.share_blocks();
                GzipStream::of_shared()
            }
            None => GzipStream::of_own(),
        })
    }
}

impl Encoding for Gzip {
    fn before_poll(&mut self, source: &mut Source) {
        if let Some(subscription) = source.subscription_mut() {
            subscription.set_last_block(self.0.last());
        }
    }

    fn encode(&mut self, source: &mut Source, plain: Bytes) -> Bytes {
        let block = source.subscription_mut().and_then(|subscription| subscription.take_block());
        self.0.push(&plain, block)
    }

    fn finish(&mut self, plain: Option<Bytes>) -> Option<Bytes> {
        Some(self.0.finish(plain.as_deref().unwrap_or_default()))
    }
}
