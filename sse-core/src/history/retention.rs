use std::time::Duration;

/// How much is kept, in events, bytes and age, whichever limit is reached first: of each topic in a hub's window,
/// or of a whole history.
///
/// The default keeps 10,000 events, 16 MiB and 24 h. Evicted events are not lost silently: a reader that needed
/// them gets a gap notice, or gets them from the history if the hub has one.
///
/// ```
/// use std::time::Duration;
/// use sse_core::Retention;
///
/// let last_hour = Retention::default().events(1_000).age(Duration::from_secs(3600));
/// # let _ = last_hour;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it takes effect in `Hub::builder().retention(..)`"]
pub struct Retention {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { events: 10_000, bytes: 16 << 20, age: Duration::from_secs(24 * 60 * 60) }
    }
}

impl Retention {
    /// Keeps at most `events` events.
    pub fn events(self, events: usize) -> Self {
        Self { events, ..self }
    }

    /// Keeps at most `bytes` encoded bytes.
    pub fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Keeps events for `age`; they may stay up to a tenth of it, or 1 s, longer.
    pub fn age(self, age: Duration) -> Self {
        Self { age, ..self }
    }

    /// The default limits of the engines.
    #[cfg(any(feature = "file", feature = "nats", feature = "postgres", feature = "redis"))]
    pub(crate) fn durable() -> Self {
        Self { events: 1_000_000, bytes: 1 << 30, age: Duration::from_secs(7 * 24 * 60 * 60) }
    }

    /// Returns whether a ring of `events` events and `bytes` bytes, whose oldest event has the age `oldest`, is
    /// within the limits.
    pub(crate) fn allows(&self, events: usize, bytes: usize, oldest: Duration) -> bool {
        events <= self.events && bytes <= self.bytes && oldest <= self.age
    }
}
