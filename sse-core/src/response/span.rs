use tracing::{Span, debug_span, field::Empty};

use super::{StreamSummary, source::Source};
use crate::resume::Resume;

/// Returns the span of one stream, from its response to its end; `None` if no `tracing` subscriber wants it.
///
/// The span is a child of the handler's span, so a request's own fields appear above it.
///
/// A probe has none, because it is not a stream.
pub(super) fn of(source: &Source) -> Option<Span> {
    if matches!(source, Source::Subscription(subscription) if subscription.is_probe()) {
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
    if let Source::Subscription(subscription) = source {
        span.record("topics", tracing::field::debug(subscription.topics()));
        span.record("principal", subscription.principal());
        span.record("resume", subscription.began());
        if let Resume::Gap(gap) = subscription.resume() {
            span.record("gap", gap.reason.as_str());
        }
    }
    Some(span)
}

/// Records in the span how the stream ended.
pub(super) fn record(span: &Span, ended: &StreamSummary) {
    span.record("end", ended.end.as_str());
    span.record("events", ended.events);
    span.record("bytes", ended.bytes);
}
