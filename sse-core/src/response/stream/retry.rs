use std::time::Duration;

use bytes::Bytes;

use crate::{
    hub::EndReason,
    wire::{self, write_retry},
};

/// How long a reader waits after another reader took its exclusive place, so that the two do not keep evicting
/// each other.
const AFTER_REPLACED: Duration = Duration::from_secs(30 * 60);

/// How long a reader waits after an application error, so that browsers do not repeat a request that fails each
/// time.
const AFTER_ERROR: Duration = Duration::from_secs(30);

/// The reconnect delays of one response, in milliseconds.
pub(in crate::response) struct Retry {
    /// The base of the jittered delays.
    base: u32,
    /// The last delay sent.
    last: u32,
    /// Whether an event or a handle set the delay.
    is_given: bool,
}

impl Retry {
    pub(in crate::response) fn new(base: Duration) -> Self {
        Self { base: millis(base), last: jittered(base), is_given: false }
    }

    /// Returns the last delay sent.
    pub(in crate::response) fn last(&self) -> u32 {
        self.last
    }

    /// Records that a delay was sent with the source's events.
    pub(super) fn set(&mut self, delay: Duration) {
        (self.last, self.is_given) = (millis(delay), true);
    }

    /// Records the delay that is sent at the end.
    pub(super) fn set_final(&mut self, delay: u32) {
        self.last = delay;
    }

    /// Returns the delay to send once more before the end, if the reader is expected to reconnect.
    pub(in crate::response) fn at_end(&self, end: &EndReason, resumes: bool) -> Option<u32> {
        match end {
            EndReason::Error(_) => Some(millis(AFTER_ERROR)),
            EndReason::Replaced => Some(jittered(AFTER_REPLACED)),
            EndReason::Shutdown | EndReason::MaxAge | EndReason::Disconnected | EndReason::Expired
                if resumes =>
            {
                // A delay that the application or a handle set is kept.
                let base = Duration::from_millis(self.base.into());
                Some(if self.is_given { self.last } else { jittered(base) })
            }
            _ => None,
        }
    }

    /// Appends the `retry` line.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_retry(out, Duration::from_millis(self.last.into()));
    }

    /// Returns the `retry` line.
    pub(super) fn line(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(16);
        self.write(&mut bytes);
        bytes.into()
    }
}

/// Returns a [jittered](wire::jittered) delay in milliseconds.
pub(in crate::response) fn jittered(base: Duration) -> u32 {
    millis(wire::jittered(base))
}

fn millis(delay: Duration) -> u32 {
    u32::try_from(delay.as_millis()).unwrap_or(u32::MAX)
}
