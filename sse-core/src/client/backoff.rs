use std::time::{Duration, Instant};

/// The standard's "few seconds", until the server sends a reconnection time.
const DEFAULT_RETRY: Duration = Duration::from_secs(3);

/// How long a client waits before it tries again.
///
/// Each wait is random between zero and a bound that doubles with each failed try ("full jitter"), but never
/// less than the minimum: the time that the server requested by `retry` or by `Retry-After`. A try fails if it
/// brings no event; after a connection that brought some, the client waits the server's time, as a browser
/// does.
///
/// ```
/// use std::time::Duration;
/// use sse_core::client::Backoff;
///
/// let backoff = Backoff::default().min(Duration::from_secs(1)).max(Duration::from_secs(30));
/// # let _ = backoff;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a backoff does nothing until a client gets it"]
pub struct Backoff {
    min: Duration,
    max: Duration,
    longest_retry: Duration,
    healthy_after: Duration,
}

impl Default for Backoff {
    /// Returns a backoff of at least 500 ms, with jitter up to 60 s; a server may request up to 1 h; a
    /// connection is healthy after 60 s.
    fn default() -> Self {
        Self {
            min: Duration::from_millis(500),
            max: Duration::from_secs(60),
            longest_retry: Duration::from_secs(60 * 60),
            healthy_after: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// Sets the shortest wait, even if the server requests less. The default is 500 ms.
    pub fn min(self, min: Duration) -> Self {
        Self { min, ..self }
    }

    /// Sets the bound up to which the jitter grows. The default is 60 s; a longer time from the server still
    /// applies.
    pub fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// Sets the longest time that a server can require by `retry` or `Retry-After`. The default is 1 h.
    pub fn longest_retry(self, longest_retry: Duration) -> Self {
        Self { longest_retry, ..self }
    }

    /// Sets how long a connection must last before the client forgets earlier failures. The default is 60 s.
    pub fn healthy_after(self, healthy_after: Duration) -> Self {
        Self { healthy_after, ..self }
    }
}

/// The backoff of one client, and the number of its failed tries.
#[derive(Debug)]
pub(super) struct Waits {
    backoff: Backoff,
    in_vain: u32,
    random: fastrand::Rng,
}

impl Waits {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, in_vain: 0, random: fastrand::Rng::new() }
    }

    /// Counts a connection that has ended. `opened` is when it opened, if it did; `brought_events` is whether
    /// it brought an event.
    pub(super) fn ended(&mut self, opened: Option<Instant>, brought_events: bool, now: Instant) {
        if opened.is_some_and(|opened| now.saturating_duration_since(opened) >= self.backoff.healthy_after) {
            self.in_vain = 0;
        } else if !brought_events {
            self.in_vain = self.in_vain.saturating_add(1);
        }
    }

    /// Returns the wait before the next try, given what the server requested.
    pub(super) fn draw(&mut self, retry: Option<Duration>, retry_after: Option<Duration>) -> Duration {
        let Backoff { min, max, longest_retry, .. } = self.backoff;
        let longest_retry = longest_retry.max(min);
        let retry = retry.map(|retry| retry.clamp(min, longest_retry));
        let base = retry.unwrap_or(DEFAULT_RETRY);
        let bound = base.saturating_mul(1 << self.in_vain.saturating_sub(1).min(20)).min(max);
        let floor = retry.unwrap_or(min).max(retry_after.unwrap_or_default().min(longest_retry));
        bound.mul_f64(self.random.f64()).max(floor)
    }

    #[cfg(test)]
    pub(super) fn seed(&mut self, seed: u64) {
        self.random.seed(seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waits() -> Waits {
        let mut waits = Waits::new(Backoff::default());
        waits.seed(7);
        waits
    }

    #[test]
    fn g16_the_servers_retry_is_exact_after_success() {
        let mut waits = waits();
        let now = Instant::now();
        for _ in 0..100 {
            waits.ended(Some(now), true, now + SECOND);
            assert_eq!(waits.draw(Some(3 * SECOND), None), 3 * SECOND);
        }
    }

    #[test]
    fn g16_the_bound_doubles_with_each_failure() {
        let mut waits = waits();
        let now = Instant::now();
        let mut longest = Duration::ZERO;
        for tries in 1_u32..=12 {
            waits.ended(None, false, now);
            let bound = (2 * SECOND).saturating_mul(1 << (tries - 1).min(20)).min(60 * SECOND);
            for _ in 0..200 {
                let wait = waits.draw(Some(2 * SECOND), None);
                assert!(wait >= 2 * SECOND && wait <= bound.max(2 * SECOND), "{wait:?} after {tries}");
                longest = longest.max(wait);
            }
        }
        assert!(longest > 50 * SECOND, "the jitter uses its whole range: {longest:?}");
    }

    #[test]
    fn g16_a_healthy_minute_forgets_failures() {
        let mut waits = waits();
        let now = Instant::now();
        for _ in 0..10 {
            waits.ended(None, false, now);
        }
        assert!((0..100).any(|_| waits.draw(Some(SECOND), None) > 10 * SECOND));
        waits.ended(Some(now), false, now + 59 * SECOND);
        assert!((0..100).any(|_| waits.draw(Some(SECOND), None) > 10 * SECOND));
        waits.ended(Some(now), false, now + 60 * SECOND);
        assert!((0..100).all(|_| waits.draw(Some(SECOND), None) == SECOND));
    }

    #[test]
    fn g16_extreme_times_are_clamped() {
        let mut waits = waits();
        assert_eq!(waits.draw(Some(Duration::ZERO), None), Duration::from_millis(500));
        assert_eq!(waits.draw(Some(Duration::from_millis(u64::MAX)), None), 3600 * SECOND);
        assert_eq!(waits.draw(None, Some(Duration::from_secs(u64::MAX))), 3600 * SECOND);
        assert_eq!(waits.draw(Some(SECOND), Some(90 * SECOND)), 90 * SECOND);
        let mut odd = Waits::new(Backoff::default().min(9 * SECOND).longest_retry(SECOND));
        assert_eq!(odd.draw(Some(SECOND), None), 9 * SECOND);
    }
}
