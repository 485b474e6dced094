//! Metrics for the process's recorder, by the crate `metrics`; without that feature these functions do nothing.
//! The page [`docs::operating`](crate::docs::operating) explains each metric.
//!
//! Counters of chunks are looked up once; the others are rare.

#![cfg_attr(not(feature = "metrics"), allow(unused_variables, reason = "nothing is counted"))]

use std::time::Duration;

#[cfg(feature = "metrics")]
use std::sync::LazyLock;

#[cfg(feature = "metrics")]
use ::metrics::{
    Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// The counters of the busiest paths.
#[cfg(feature = "metrics")]
struct Busy {
    published: Counter,
    delivered: Counter,
    sent_bytes: Counter,
}

/// Looked up when the first hub or stream is made, which also describes all metrics.
#[cfg(feature = "metrics")]
static BUSY: LazyLock<Busy> = LazyLock::new(|| {
    describe();
    Busy {
        published: counter!("sse_published_total"),
        delivered: counter!("sse_delivered_total"),
        sent_bytes: counter!("sse_sent_bytes_total"),
    }
});

#[cfg(feature = "metrics")]
fn describe() {
    let gauges = [
        ("sse_readers", Unit::Count, "Subscriptions of hubs that are open"),
        ("sse_streams", Unit::Count, "Responses of events that are open, with or without a hub"),
        ("sse_window_bytes", Unit::Bytes, "Encoded events that windows hold"),
    ];
    for (name, unit, text) in gauges {
        describe_gauge!(name, unit, text);
    }
    let counters = [
        ("sse_delivered_total", Unit::Count, "Events handed to connections"),
        ("sse_ends_total", Unit::Count, "Streams that ended, by reason"),
        ("sse_gaps_total", Unit::Count, "Gap notices given to readers, by reason"),
        ("sse_history_errors_total", Unit::Count, "Operations of a history that failed"),
        ("sse_lost_signals_total", Unit::Count, "Signals that a history did not take"),
        ("sse_published_total", Unit::Count, "Events put into windows"),
        ("sse_replays_total", Unit::Count, "Readers that began behind, by where the rest came from"),
        ("sse_sent_bytes_total", Unit::Bytes, "Bytes handed to connections"),
        ("sse_stalled_total", Unit::Count, "Readers dropped because they did not read"),
        ("sse_subscriptions_total", Unit::Count, "Subscriptions, by how they began"),
    ];
    for (name, unit, text) in counters {
        describe_counter!(name, unit, text);
    }
    let histograms = [
        ("sse_history_seconds", Unit::Seconds, "How long an operation of a history took"),
        ("sse_lag_events", Unit::Count, "How far behind readers are that are behind"),
        ("sse_stream_seconds", Unit::Seconds, "How long streams lasted"),
    ];
    for (name, unit, text) in histograms {
        describe_histogram!(name, unit, text);
    }
}

/// Counts an event that was put into a window.
pub(crate) fn published() {
    #[cfg(feature = "metrics")]
    BUSY.published.increment(1);
}

/// Counts a chunk that was handed to a connection.
#[inline]
pub(crate) fn sent(events: u64, bytes: usize) {
    #[cfg(feature = "metrics")]
    {
        BUSY.delivered.increment(events);
        BUSY.sent_bytes.increment(bytes as u64);
    }
}

/// Counts a response that began.
pub(crate) fn stream_began() {
    #[cfg(feature = "metrics")]
    {
        LazyLock::force(&BUSY);
        gauge!("sse_streams").increment(1);
    }
}

/// Counts a response that ended.
pub(crate) fn stream_ended(reason: &'static str, lasted: Duration) {
    #[cfg(feature = "metrics")]
    {
        gauge!("sse_streams").decrement(1);
        counter!("sse_ends_total", "reason" => reason).increment(1);
        histogram!("sse_stream_seconds").record(lasted.as_secs_f64());
    }
}

/// Counts a reader that was admitted.
pub(crate) fn reader_entered() {
    #[cfg(feature = "metrics")]
    {
        LazyLock::force(&BUSY);
        gauge!("sse_readers").increment(1);
    }
}

/// Counts a reader that left.
pub(crate) fn reader_left() {
    #[cfg(feature = "metrics")]
    gauge!("sse_readers").decrement(1);
}

/// Counts a subscription that began with this outcome.
pub(crate) fn subscribed(resume: &'static str) {
    #[cfg(feature = "metrics")]
    counter!("sse_subscriptions_total", "resume" => resume).increment(1);
}

/// Counts a reader that began behind, and whose missed events are available.
pub(crate) fn replayed(source: &'static str) {
    #[cfg(feature = "metrics")]
    counter!("sse_replays_total", "source" => source).increment(1);
}

/// Counts a gap notice sent to a reader.
pub(crate) fn gap(reason: &'static str) {
    #[cfg(feature = "metrics")]
    counter!("sse_gaps_total", "reason" => reason).increment(1);
}

/// Counts `readers` readers that were dropped because they did not read.
pub(crate) fn stalled(readers: u64) {
    #[cfg(feature = "metrics")]
    counter!("sse_stalled_total").increment(readers);
}

/// Counts a signal that did not get into the history.
pub(crate) fn signal_lost() {
    #[cfg(feature = "metrics")]
    counter!("sse_lost_signals_total").increment(1);
}

/// Records how many positions each of these readers is behind.
pub(crate) fn lags(behind: &[u64]) {
    #[cfg(feature = "metrics")]
    if !behind.is_empty() {
        let lag = histogram!("sse_lag_events");
        behind.iter().for_each(|behind| lag.record(*behind as f64));
    }
}

/// Reports that a window holds `now` bytes and held `before` at the last report: several hubs share the number.
pub(crate) fn window_bytes(before: usize, now: usize) {
    #[cfg(feature = "metrics")]
    if before != now {
        gauge!("sse_window_bytes").increment(now as f64 - before as f64);
    }
}

/// Records how long an operation of a history took.
pub(crate) fn history(operation: &'static str, took: Duration, has_failed: bool) {
    #[cfg(feature = "metrics")]
    {
        histogram!("sse_history_seconds", "operation" => operation).record(took.as_secs_f64());
        if has_failed {
            counter!("sse_history_errors_total", "operation" => operation).increment(1);
        }
    }
}
