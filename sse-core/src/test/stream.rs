use std::{
    error, fmt,
    future::poll_fn,
    panic::Location,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::{HeaderMap, Response, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::wire::{Decoder, Item, Message};

/// How long an assertion waits: slightly longer than the usual keep-alive.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of characters that a failure shows of a response that is not an event stream.
const SHOWN: usize = 500;

/// The codings that a page would decode; it takes the bytes of any other as they are.
const COMPRESSED: [&str; 7] = ["br", "compress", "deflate", "gzip", "x-compress", "x-gzip", "zstd"];

type AnyError = Box<dyn error::Error + Send + Sync>;
type AnyBytes<'a> = Pin<Box<dyn Stream<Item = Result<Bytes, AnyError>> + Send + 'a>>;

/// A response read as a page reads it, with assertions about what comes.
///
/// The adapters' `test` modules make one from their framework's responses; [`TestStream::new`] makes one from
/// any other stream of bytes. A failed assertion panics and shows what came instead. Assertions wait for at
/// most 20 s, or as long as [`within`](TestStream::within) sets, and take no time while Tokio's clock is
/// paused.
///
/// ```
/// use sse_core::{Event, EventStream, Hub, test::TestStream};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::memory();
/// let response = EventStream::new(hub.subscribe("prices").await?).into_response();
/// let mut prices = TestStream::new(response);
/// prices.assert_status(200).assert_header("content-type", "text/event-stream");
///
/// hub.publish("prices", Event::message("1.08").event("price")).await?;
/// prices.next_event().await.assert_type_eq("price").assert_data_eq("1.08");
///
/// hub.finish("prices").await?;
/// prices.next_event().await.assert_type_eq("sse.end").expect_end().await;
/// # Ok(()) }
/// ```
#[must_use = "it asserts nothing until it is asked"]
pub struct TestStream<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    bytes: Option<AnyBytes<'a>>,
    chunk: Bytes,
    decoder: Decoder,
    pub(super) message: Option<Message>,
    events: u64,
    opening: Opening,
    pub(super) ended: Option<Ended>,
    pub(super) patience: Duration,
}

/// The bytes that open a stream and are not a keep-alive: a `retry` line, and with it a new reader's first
/// checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// The line comes next.
    Retry,
    /// The checkpoint may come next.
    Checkpoint,
    /// All of it has come.
    Over,
}

/// An item that a stream sends.
pub(super) enum Said {
    /// An event, which is now the message.
    Event,
    /// A `retry` line, a comment or a checkpoint: invisible to a page.
    Alive,
    /// The stream has ended.
    EndReason,
}

/// How the stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// The test closed it.
    Here,
    /// The server ended it after a whole event.
    Whole,
    /// The server ended it within an event.
    MidEvent,
    /// The body failed, or held something that the decoder rejects.
    Failed(String),
}

impl<'a> TestStream<'a> {
    /// Reads a response whose body is a stream of bytes, such as one from [`EventStream::into_response`], or
    /// from a client.
    ///
    /// This asserts nothing yet; see [`expect_event_stream`](TestStream::expect_event_stream).
    ///
    /// [`EventStream::into_response`]: crate::EventStream::into_response
    pub fn new<S, B, E>(response: Response<S>) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'a,
        B: Into<Bytes>,
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            bytes: Some(Box::pin(Unified { body: Box::pin(body) })),
            chunk: Bytes::new(),
            decoder: Decoder::new().report_comments(),
            message: None,
            events: 0,
            opening: Opening::Retry,
            ended: None,
            patience: PATIENCE,
        }
    }

    /// Sets how long each assertion waits at most, from here on. The default is 20 s.
    pub fn within(&mut self, time: Duration) -> &mut Self {
        self.patience = time;
        self
    }

    /// Returns the response's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the response's headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the event that [`next_event`](TestStream::next_event) found last.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// Returns what a client would send as `Last-Event-ID` now; checkpoints move it.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Returns the reconnect delay that the stream last sent.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }

    /// Closes the stream from this side; the server sees that the reader left.
    pub(super) fn close(&mut self) {
        self.bytes = None;
        self.chunk.clear();
        self.ended.get_or_insert(Ended::Here);
    }

    /// Returns the next item, or `None` if none came until `deadline`.
    pub(super) async fn listen(&mut self, deadline: Instant) -> Option<Said> {
        loop {
            if let Some(said) = self.decode() {
                return Some(said);
            }
            if self.ended.is_some() {
                return Some(Said::EndReason);
            }
            let Some(bytes) = &mut self.bytes else { return Some(Said::EndReason) };
            let next = timeout_at(deadline, poll_fn(|cx| bytes.as_mut().poll_next(cx))).await.ok()?;
            match next {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => self.ended = Some(Ended::Failed(error.to_string())),
                None if self.decoder.is_mid_event() => self.ended = Some(Ended::MidEvent),
                None => self.ended = Some(Ended::Whole),
            }
        }
    }

    fn decode(&mut self) -> Option<Said> {
        let mut input = self.chunk.as_ref();
        let decoded = self.decoder.decode(&mut input);
        let (opens, opening) = match (&decoded, self.opening) {
            (Ok(None), opening) => (false, opening),
            (Ok(Some(Item::Retry(_))), Opening::Retry) => (true, Opening::Checkpoint),
            (Ok(Some(Item::Message(message))), Opening::Checkpoint) => {
                (message.event_type() == "sse.checkpoint", Opening::Over)
            }
            _ => (false, Opening::Over),
        };
        self.opening = opening;
        let said = match decoded {
            Ok(None) => None,
            Ok(Some(_)) if opens => None,
            Ok(Some(Item::Message(message))) if message.event_type() == "sse.checkpoint" => Some(Said::Alive),
            Ok(Some(Item::Message(message))) => {
                self.message = Some(message.into());
                self.events += 1;
                Some(Said::Event)
            }
            Ok(Some(_)) => Some(Said::Alive),
            Err(error) => {
                self.ended = Some(Ended::Failed(error.to_string()));
                None
            }
        };
        let read = self.chunk.len() - input.len();
        self.chunk.advance(read);
        if self.chunk.is_empty() && self.opening == Opening::Checkpoint {
            // The checkpoint comes together with the first line.
            self.opening = Opening::Over;
        }
        // The opening of the stream is skipped, but not what follows it in the same chunk.
        if said.is_none() && self.ended.is_none() && !self.chunk.is_empty() {
            return self.decode();
        }
        said
    }

    /// Returns `true` if the response is declared as an event stream.
    pub(super) fn is_event_stream(&self) -> bool {
        let media_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
        self.status == StatusCode::OK && media_type.trim().eq_ignore_ascii_case("text/event-stream")
    }

    /// Fails if the body is compressed, which would look like a stream without events.
    pub(super) fn check_coding(&self, assertion: &str, at: &Location<'_>) {
        let codings = self.headers.get_all(header::CONTENT_ENCODING).iter();
        let codings = codings.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        for coding in codings.map(str::trim) {
            if COMPRESSED.iter().any(|known| known.eq_ignore_ascii_case(coding)) {
                let what = format_args!(
                    "the body is compressed ({coding}), and events are read only from an uncompressed one; send the request without `accept-encoding`, or leave the compression layer out of the tested application"
                );
                self.fail(assertion, Some(at), what);
            }
        }
    }

    /// Returns the beginning of a body that is not an event stream.
    pub(super) async fn shown_body(&mut self) -> String {
        let deadline = Instant::now() + self.patience.min(Duration::from_secs(1));
        let mut shown = Vec::new();
        while shown.len() < SHOWN
            && let Some(bytes) = &mut self.bytes
            && let Ok(Some(Ok(chunk))) =
                timeout_at(deadline, poll_fn(|cx| bytes.as_mut().poll_next(cx))).await
        {
            shown.extend_from_slice(&chunk);
        }
        String::from_utf8_lossy(&shown).chars().take(SHOWN).collect()
    }

    /// Ends the test: reports which assertion failed, where, and the stream so far.
    #[cold]
    #[track_caller]
    #[allow(clippy::panic, reason = "a failed assertion panics")]
    pub(super) fn fail(&self, assertion: &str, at: Option<&Location<'_>>, what: impl fmt::Display) -> ! {
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        panic!("{assertion}{at}: {what}\n{self}");
    }
}

/// Shows the stream so far, for a failure's message.
impl fmt::Display for TestStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let media_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        write!(f, "  the response: {} {}", self.status, media_type.unwrap_or("without a content type"))?;
        write!(f, "\n  so far: {}", Count(self.events))?;
        if let Some(message) = &self.message {
            let (event_type, data, id) = (message.event_type(), message.data(), message.last_event_id());
            write!(f, "; the last has type {event_type:?}, text {data:?}, id {id:?}")?;
        }
        match &self.ended {
            None if self.decoder.is_mid_event() => f.write_str("\n  an event has begun and not ended"),
            None => Ok(()),
            Some(ended) => write!(f, "\n  {ended}"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("the test has closed it"),
            Self::Whole => f.write_str("the server has ended it"),
            Self::MidEvent => f.write_str("the server has ended it within an event, which is lost"),
            Self::Failed(error) => write!(f, "the body failed: {error}"),
        }
    }
}

impl fmt::Debug for TestStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestStream")
            .field("status", &self.status)
            .field("message", &self.message)
            .field("events", &self.events)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

struct Count(u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("no event"),
            1 => f.write_str("1 event"),
            events => write!(f, "{events} events"),
        }
    }
}

/// Any body, with one type of bytes and one of errors.
struct Unified<S> {
    body: Pin<Box<S>>,
}

impl<S, B, E> Stream for Unified<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
    E: Into<AnyError>,
{
    type Item = Result<Bytes, AnyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let bytes = self.body.as_mut().poll_next(cx);
        bytes.map(|bytes| bytes.map(|bytes| bytes.map(Into::into).map_err(Into::into)))
    }
}
