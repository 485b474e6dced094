use tracing::{Span, debug_span, field::Empty};

use super::StreamSummary;
use crate::{response::source::Source, resume::Resume};

/// Returns the span of one stream, from its response to its end; `None` if no `tracing` subscriber wants it.
///
/// The span is a child of the handler's span, so a request's own fields appear above it.
///
/// A probe has none, because it is not a stream.
pub(super) fn of(source: &Source) -> Option<Span> {
    if source.is_probe() {
        return None;
    }
    let span = debug_span!(
        "event_stream",
        topics = Empty,
        principal = Empty,
        resume = Empty,
        gap = Empty,
        end = Empty,
        events = Empty,
        bytes = Empty,
    );
    if span.is_disabled() {
        return None;
    }
    if let Some(subscription) = source.subscription() {
        span.record("topics", tracing::field::debug(subscription.topics()));
        span.record("principal", subscription.principal());
        span.record("resume", subscription.began());
        if let Resume::Gap(gap) = subscription.resume() {
            span.record("gap", gap.reason.as_str());
        }
    }
    Some(span)
}

/// Records in the span how the stream summary.
pub(super) fn record(span: &Span, summary: &StreamSummary) {
    span.record("end", summary.end.as_str());
    span.record("events", summary.events);
    span.record("bytes", summary.bytes);
}
