use std::time::Duration;

use tokio::time::Instant;
use tracing::{Span, span::EnteredSpan};

use super::{StreamSummary, options::OnEnd, span};
use crate::{hub::EndReason, metrics, panic::Panic, response::source::Source};

/// Counts what a response sends, and reports its end once.
///
/// Kept small: each reader has one, and most readers wait.
pub(in crate::response) struct Meter {
    stage: Stage,
    events: u64,
    bytes: u64,
    began_at: Instant,
    /// The time of the last byte, in nanoseconds since `began_at`.
    last_byte: u64,
    observers: Option<Box<Observers>>,
}

/// Who learns of the end, besides the metrics.
struct Observers {
    on_end: Option<OnEnd>,
    /// The stream's span, if a `tracing` subscriber wants it.
    span: Option<Span>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Open,
    Over,
}

impl Meter {
    pub(in crate::response) fn new(source: &Source, on_end: Option<OnEnd>) -> Self {
        let span = span::of(source);
        let is_observed = on_end.is_some() || span.is_some();
        Self {
            stage: Stage::New,
            events: 0,
            bytes: 0,
            began_at: Instant::now(),
            last_byte: 0,
            observers: is_observed.then(|| Box::new(Observers { on_end, span })),
        }
    }

    /// Enters the stream's span, if it has one.
    pub(in crate::response) fn enter(&self) -> Option<EnteredSpan> {
        self.observers.as_ref()?.span.clone().map(Span::entered)
    }

    /// Counts the stream when its body is first polled; returns whether this is the first poll. The response to a
    /// HEAD is never polled, so it is not counted.
    pub(in crate::response) fn begin(&mut self) -> bool {
        let is_first = self.stage == Stage::New;
        if is_first {
            self.stage = Stage::Open;
            metrics::stream_began();
        }
        is_first
    }

    pub(in crate::response) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Counts bytes that are sent. `at` may be slightly before now; the next keep-alive then comes earlier by the
    /// same time.
    pub(super) fn sent_at(&mut self, at: Instant, events: u64, bytes: usize) {
        let since = at.saturating_duration_since(self.began_at).as_nanos();
        self.last_byte = self.last_byte.max(u64::try_from(since).unwrap_or(u64::MAX));
        self.sent(events, bytes);
    }

    /// Counts bytes after which no keep-alive follows.
    pub(in crate::response) fn sent(&mut self, events: u64, bytes: usize) {
        metrics::sent(events, bytes);
        self.events += events;
        self.bytes += bytes as u64;
    }

    /// Returns the time of the last byte.
    pub(super) fn last_byte(&self) -> Instant {
        self.began_at + Duration::from_nanos(self.last_byte)
    }

    /// Reports the end.
    pub(in crate::response) fn end(&mut self, end: EndReason) {
        let lasted = self.began_at.elapsed();
        let summary = StreamSummary { end, events: self.events, bytes: self.bytes, lasted };
        if std::mem::replace(&mut self.stage, Stage::Over) != Stage::New {
            metrics::stream_ended(summary.end.as_str(), lasted);
        }
        let Observers { on_end, span } = match self.observers.take() {
            Some(observers) => *observers,
            None => Observers { on_end: None, span: None },
        };
        if let Some(span) = &span {
            span::record(span, &summary);
        }
        let _entered = span.as_ref().map(Span::enter);
        tracing::debug!(
            end = %summary.end,
            events = summary.events,
            bytes = summary.bytes,
            ?lasted,
            "an event stream ended"
        );
        if let Some(on_end) = on_end {
            // The hook may run while the connection is dropped, perhaps because of another panic.
            if let Err(panic) = Panic::catch(|| on_end(summary)) {
                tracing::error!(error = %panic, "the hook for a stream's end failed");
            }
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.stage != Stage::Over {
            self.end(EndReason::Left);
        }
    }
}

/// Logs the application's error with which a stream ends.
pub(in crate::response) fn log_error(end: &EndReason) {
    if let EndReason::Error(error) = end {
        // Logged as a value, which subscribers escape: the application's error may contain untrusted text.
        tracing::error!(error = error.to_string(), "an event stream failed");
    }
}
