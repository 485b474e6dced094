//! The policies of a client's builder: what the client does when something fails.

use std::time::Duration;

/// Limits how often and how long a client tries to get a response of events.
///
/// A try that opens a stream resets the count and the time.
///
/// ```
/// use std::time::Duration;
/// use sse_core::client::Attempts;
///
/// let attempts = Attempts::unlimited().tries(5).within(Duration::from_secs(60));
/// # let _ = attempts;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "a policy does nothing until a client gets it"]
pub struct Attempts {
    tries: Option<u32>,
    within: Option<Duration>,
}

impl Attempts {
    /// Allows any number of tries, as the standard requires and browsers do. This is the default.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// Allows a single try.
    pub fn once() -> Self {
        Self::unlimited().tries(1)
    }

    /// Allows at most `tries` tries in a row; 0 forbids even the first.
    pub fn tries(self, tries: u32) -> Self {
        Self { tries: Some(tries), ..self }
    }

    /// Allows no new try later than `time` after the first try, or after the loss of the connection.
    pub fn within(self, time: Duration) -> Self {
        Self { within: Some(time), ..self }
    }

    /// Returns `true` if another try may begin after `tries` tries, `elapsed` after the first.
    pub(super) fn allow(self, tries: u32, elapsed: Duration) -> bool {
        self.tries.is_none_or(|most| tries < most) && self.within.is_none_or(|within| elapsed <= within)
    }
}

/// Limits the redirects that a client follows.
///
/// Once a redirect has led to another origin, the client does not send the headers that the application set.
/// That holds even if that origin redirects back, now or at a later reconnect. A cursor is sent only to the
/// origin from which it came. If the application named https, a redirect to http is refused. For any
/// scheme, a redirect that would send the request's body to another origin (307 or 308) is refused; see
/// [`cross_origin_body`](Redirects::cross_origin_body).
///
/// A permanent redirect (301, 308) is remembered: the client reconnects to its target, as the Fetch standard's
/// redirected request does in Chromium. After a temporary one it requests the original address again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a policy does nothing until a client gets it"]
pub struct Redirects {
    pub(super) most: u32,
    pub(super) same_origin: bool,
    pub(super) cross_origin_body: bool,
}

impl Default for Redirects {
    /// Allows up to 20 redirects in a row, to any origin.
    fn default() -> Self {
        Self { most: 20, same_origin: false, cross_origin_body: false }
    }
}

impl Redirects {
    /// Allows no redirect: one is an error.
    pub fn none() -> Self {
        Self::default().most(0)
    }

    /// Allows at most `most` redirects in a row. The default is 20, as in the Fetch standard.
    pub fn most(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// Allows only redirects to the same scheme, host and port.
    pub fn same_origin(self) -> Self {
        Self { same_origin: true, ..self }
    }

    /// Sends the request's body to other origins too, if a 307 or 308 leads there. Without this such a redirect
    /// is an error, because a prompt or a form is meant for the server that the application named.
    pub fn cross_origin_body(self) -> Self {
        Self { cross_origin_body: true, ..self }
    }
}

/// The next step of a client after a [`Disconnect`](super::Disconnect).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Waits and tries again.
    Retry,
    /// Stops: the stream ends, with an error unless it is a normal end.
    Stop,
}

/// A time limit for a server: the application's choice, or the default.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timeout {
    Default,
    Chosen(Option<Duration>),
}

impl Timeout {
    /// Returns the time limit, given the default. A request that is sent only once has no default limit: its
    /// response would be lost for good, and models think for minutes before they send the first byte.
    pub(super) fn resolve(self, default: Duration, is_repeatable: bool) -> Option<Duration> {
        match self {
            Self::Default => Some(default).filter(|_| is_repeatable),
            Self::Chosen(timeout) => timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_bounded_by_count_and_by_time() {
        let second = Duration::from_secs(1);
        assert!(Attempts::unlimited().allow(u32::MAX, Duration::MAX));
        assert!(Attempts::once().allow(0, second) && !Attempts::once().allow(1, second));
        let both = Attempts::unlimited().tries(3).within(10 * second);
        assert!(both.allow(2, 10 * second));
        assert!(!both.allow(3, second) && !both.allow(0, 11 * second));
    }
}
