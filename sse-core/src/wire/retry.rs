//! The delay before a client reconnects: limits, jitter and the line on the wire.

use std::{
    panic::Location,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// The minimum delay: a shorter one makes Chromium and WebKit reconnect in a tight loop.
pub(crate) const MIN_RETRY: Duration = Duration::from_millis(500);

/// The maximum delay: a longer one looks like a dead stream. Positions and finished topics are remembered for
/// longer than this.
pub(crate) const MAX_RETRY: Duration = Duration::from_secs(60 * 60);

/// Returns the delay, or the nearest limit.
///
/// All setters of a `retry` use this, so that a value which is legal in another library never ends a stream. The
/// first value outside the limits is logged with the location of the call; the others are not, because a stream
/// may set one for each event.
#[track_caller]
pub(crate) fn limited(delay: Duration) -> Duration {
    static IS_LOGGED: AtomicBool = AtomicBool::new(false);
    let limited = delay.clamp(MIN_RETRY, MAX_RETRY);
    if limited != delay && !IS_LOGGED.swap(true, Ordering::Relaxed) {
        let caller = Location::caller();
        tracing::warn!(
            "retry of {delay:?} at {caller}: {limited:?} is sent; choose one between {MIN_RETRY:?} and {MAX_RETRY:?} \
             (further values are limited without a message)"
        );
    }
    limited
}

/// Returns a delay between the base and twice the base, at most [`MAX_RETRY`], so that many clients do not come
/// back together.
pub(crate) fn jittered(base: Duration) -> Duration {
    let base = base.clamp(MIN_RETRY, MAX_RETRY);
    let longest = (2 * base).min(MAX_RETRY);
    base + (longest - base).mul_f64(fastrand::f64())
}

/// Writes a `retry` line in whole milliseconds.
pub(crate) fn write_retry(out: &mut Vec<u8>, delay: Duration) {
    out.extend_from_slice(b"retry: ");
    out.extend_from_slice(itoa::Buffer::new().format(delay.as_millis()).as_bytes());
    out.push(b'\n');
}
