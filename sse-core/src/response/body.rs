use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Instant, Sleep};
use tracing::Span;

use super::{
    KeepAlive, NoError, StreamSummary,
    endings::EndConditions,
    keep_alive::{Form, Interval},
    options::Options,
    source::{Source, SourceChunk},
    span,
    written::BodyFormat,
};
use crate::{
    hub::EndReason,
    metrics,
    panic::Panic,
    resume::Negotiated,
    wire::{self, write_lines, write_retry},
};

/// How long a reader waits after another reader took its exclusive place, so that the two do not keep evicting
/// each other.
const RETRY_AFTER_REPLACED: Duration = Duration::from_secs(30 * 60);

/// The padding, in bytes, for a reader that asks for some: together with the first line it is more than the
/// 2,056 bytes that old polyfills need.
const PADDING: usize = 2 << 10;

/// How long a reader waits after an application error, so that browsers do not repeat a request that fails each
/// time.
const RETRY_AFTER_ERROR: Duration = Duration::from_secs(30);

/// The body of an event stream: a `Stream` of bytes that never fails.
///
/// Implements `Send` and `Sync`. Each item consists of whole lines; an event is never split.
pub struct Body(Mutex<State>);

/// Kept small: each reader has one, and most readers wait.
pub(super) struct State {
    pub(super) source: Source,
    stage: Stage,
    /// The format, if it is not an event stream.
    written: Option<Box<BodyFormat>>,
    /// Whether an event or a handle set the reconnect delay.
    is_retry_given: bool,
    /// The base of the jittered `retry` values, and below it the last value sent; both in milliseconds.
    retry: u32,
    pub(super) last_retry: u32,
    pub(super) keep_alive: Option<Interval>,
    /// The form of the keep-alive; `None` is the `retry` line.
    pub(super) alive: Option<Box<Form>>,
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    endings: Option<Box<EndConditions>>,
    events: u64,
    bytes: u64,
    pub(super) began_at: Instant,
    /// The time of the last byte, in nanoseconds since `began_at`.
    pub(super) last_byte: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Open,
    Over,
}

impl Body {
    /// Makes a body. `over` is the reason if the stream has already ended; what `written` holds is sent all the
    /// same.
    pub(super) fn new(
        source: Source,
        options: Options,
        written: Option<BodyFormat>,
        over: Option<EndReason>,
    ) -> Self {
        let mut state = State::new(source, options, written, over.is_some());
        if let Some(end) = over {
            state.begin();
            state.end(end);
        }
        Self(Mutex::new(state))
    }

    /// Makes an empty body, for a probe. It is not counted; the application's hook runs as for every response.
    pub(super) fn none(source: Source, options: Options) -> Self {
        let mut state = State::new(source, options, None, true);
        state.end(EndReason::Left);
        Self(Mutex::new(state))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, NoError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The lock only makes the body `Sync`; with `&mut` it is never contended.
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let span = state.endings.as_ref().and_then(|endings| endings.span.clone());
        let _entered = span.as_ref().map(Span::enter);
        state.poll(cx).map(|bytes| bytes.map(Ok))
    }
}

impl State {
    fn new(source: Source, options: Options, written: Option<BodyFormat>, is_over: bool) -> Self {
        let Options { keep_alive, until, max_age, retry, on_end, .. } = options;
        let (keep_alive, alive) = keep_alive.map(KeepAlive::into_parts).unzip();
        let max_age = max_age.filter(|_| !is_over).map(|max_age| {
            let age = max_age.mul_f64(1.0 - 0.2 * fastrand::f64());
            Box::pin(tokio::time::sleep(age))
        });
        let endings = EndConditions {
            of_source: None,
            until,
            max_age,
            shutdown: source.shutdown().cloned(),
            drained: None,
            on_end,
            span: span::of(&source),
        };
        Self {
            source,
            stage: Stage::New,
            written: written.map(Box::new),
            is_retry_given: false,
            retry: millis(retry),
            last_retry: jittered(retry),
            keep_alive,
            alive: alive.flatten(),
            timer: None,
            endings: endings.has_any().then(|| Box::new(endings)),
            events: 0,
            bytes: 0,
            began_at: Instant::now(),
            last_byte: 0,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        // The response to a HEAD is never polled, so it is not counted.
        let is_first = self.begin();
        if let Some(whole) = self.written.take_if(|written| written.is_whole()) {
            return self.poll_whole(whole, cx);
        }
        match self.stage {
            Stage::Over => return Poll::Ready(None),
            // Sent before anything else, so that no proxy waits for the first byte.
            _ if is_first => return Poll::Ready(Some(self.first_bytes())),
            Stage::New | Stage::Open => {}
        }
        if let Poll::Ready(end) = self.poll_endings(cx) {
            return Poll::Ready(self.last_words(end));
        }
        let of_source = self.endings.as_mut().and_then(|endings| endings.of_source.take());
        match self.source.poll_take(of_source, self.last_retry, cx) {
            Poll::Ready(Ok((taken, end))) => {
                if end.is_some() {
                    self.endings.get_or_insert_default().of_source = end;
                }
                Poll::Ready(Some(self.sent(taken)))
            }
            Poll::Ready(Err(end)) => Poll::Ready(self.last_words(end)),
            Poll::Pending => self.poll_keep_alive(cx).map(Some),
        }
    }

    /// Counts the stream when its body is first polled; returns whether this is the first poll.
    fn begin(&mut self) -> bool {
        let is_first = self.stage == Stage::New;
        if is_first {
            self.stage = Stage::Open;
            metrics::stream_began();
        }
        is_first
    }

    /// Checks the conditions that end the stream from outside, before another byte is written.
    #[inline]
    pub(super) fn poll_endings(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        match &mut self.endings {
            Some(endings) => endings.poll(cx),
            None => Poll::Pending,
        }
    }

    /// Polls a response that is sent in one piece.
    fn poll_whole(&mut self, mut whole: Box<BodyFormat>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let polled = whole.poll(self, cx);
        if polled.is_pending() {
            self.written = Some(whole);
        }
        polled.map(Some)
    }

    /// Returns the reconnect delay, and the cursor with which to reconnect.
    fn first_bytes(&mut self) -> Bytes {
        let Negotiated { wants_padding, needs_discard, .. } = self.source.negotiated();
        let event = self.source.first_event(needs_discard);
        let mut bytes = Vec::with_capacity(event.as_ref().map_or(0, |event| event.bytes().len()) + 16);
        write_retry(&mut bytes, Duration::from_millis(self.last_retry.into()));
        // The padding precedes the event, because no block may begin with a comment.
        if wants_padding {
            write_lines(&mut bytes, b": ", &" ".repeat(PADDING));
        }
        if let Some(event) = &event {
            bytes.extend_from_slice(event.as_ref());
        }
        self.count(bytes.into(), event.is_some().into())
    }

    pub(super) fn retry_line(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(16);
        write_retry(&mut bytes, Duration::from_millis(self.last_retry.into()));
        bytes.into()
    }

    fn sent(&mut self, taken: SourceChunk) -> Bytes {
        let SourceChunk { bytes, events, retry, at } = taken;
        if let Some(retry) = retry {
            self.last_retry = millis(retry);
            self.is_retry_given = true;
        }
        self.count_at(at.unwrap_or_else(Instant::now), bytes, events)
    }

    pub(super) fn count(&mut self, bytes: Bytes, events: u64) -> Bytes {
        self.count_at(Instant::now(), bytes, events)
    }

    /// Counts the bytes and converts them to the format in which they are sent. `at` may be slightly before
    /// now; the next keep-alive then comes earlier by the same time.
    fn count_at(&mut self, at: Instant, bytes: Bytes, events: u64) -> Bytes {
        let bytes = self.written_form(bytes);
        let since = at.saturating_duration_since(self.began_at).as_nanos();
        self.last_byte = self.last_byte.max(u64::try_from(since).unwrap_or(u64::MAX));
        let bytes = self.source.encode(bytes);
        metrics::sent(events, bytes.len());
        self.bytes += bytes.len() as u64;
        self.events += events;
        bytes
    }

    fn written_form(&mut self, bytes: Bytes) -> Bytes {
        match self.written.as_deref_mut() {
            Some(written) => written.of(bytes),
            None => bytes,
        }
    }

    /// Ends the stream. A final `retry` sets the reconnect delay, if the reader is expected to reconnect.
    fn last_words(&mut self, end: EndReason) -> Option<Bytes> {
        let words = self.last_retry(&end).map(|retry| {
            self.last_retry = retry;
            let line = self.retry_line();
            self.written_form(line)
        });
        let words = self.source.finish(words);
        if let Some(words) = &words {
            metrics::sent(0, words.len());
            self.bytes += words.len() as u64;
        }
        self.end(end);
        words
    }

    /// Returns the reconnect delay in milliseconds, if it is to be sent once more.
    pub(super) fn last_retry(&self, end: &EndReason) -> Option<u32> {
        match end {
            EndReason::Error(error) => {
                // Logged as a value, which subscribers escape: the application's error may contain untrusted
                // text.
                tracing::error!(error = error.to_string(), "an event stream failed");
                Some(millis(RETRY_AFTER_ERROR))
            }
            EndReason::Replaced => Some(jittered(RETRY_AFTER_REPLACED)),
            EndReason::Shutdown | EndReason::MaxAge | EndReason::Disconnected | EndReason::Expired
                if self.source.resumes() =>
            {
                // A delay that the application or a handle set is kept.
                let base = Duration::from_millis(self.retry.into());
                Some(if self.is_retry_given { self.last_retry } else { jittered(base) })
            }
            _ => None,
        }
    }

    /// Returns these bytes as the last ones of the stream, which ends.
    pub(super) fn finish(&mut self, bytes: Bytes, events: u64, end: EndReason) -> Bytes {
        let bytes = self.count(bytes, events);
        self.end(end);
        bytes
    }

    fn end(&mut self, end: EndReason) {
        let lasted = self.began_at.elapsed();
        let ended = StreamSummary { end, events: self.events, bytes: self.bytes, lasted };
        if std::mem::replace(&mut self.stage, Stage::Over) != Stage::New {
            metrics::stream_ended(ended.end.as_str(), lasted);
        }
        let span = self.endings.as_mut().and_then(|endings| endings.span.take());
        if let Some(span) = &span {
            span::record(span, &ended);
        }
        let _entered = span.as_ref().map(Span::enter);
        tracing::debug!(end = %ended.end, events = ended.events, bytes = ended.bytes, ?lasted, "an event stream ended");
        if let Some(on_end) = self.endings.as_mut().and_then(|endings| endings.on_end.take()) {
            // The hook may run while the connection is dropped, perhaps because of another panic.
            if let Err(panic) = Panic::catch(|| on_end(ended)) {
                tracing::error!(error = %panic, "the hook for a stream's end failed");
            }
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.stage != Stage::Over {
            self.end(EndReason::Left);
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// Returns a [jittered](wire::jittered) delay in milliseconds.
pub(super) fn jittered(base: Duration) -> u32 {
    millis(wire::jittered(base))
}

fn millis(delay: Duration) -> u32 {
    u32::try_from(delay.as_millis()).unwrap_or(u32::MAX)
}
