use std::{num::NonZeroU32, time::Duration};

use crate::wire::{Event, Frame, InvalidEvent, write_lines};

/// Sends something after a silence, so that proxies do not cut the stream and the server notices readers that
/// have left.
///
/// On by default, every 15 s. The default form repeats the last `retry` line, without a blank line, so no
/// client takes it for an event. The time counts from the last byte; each pause is up to a tenth shorter, so
/// that the keep-alives of many readers do not coincide.
///
/// ```
/// use std::{num::NonZeroU32, time::Duration};
/// use sse_core::KeepAlive;
///
/// let visible = KeepAlive::every(Duration::from_secs(20)).event("ping")?;
/// # let _ = visible;
/// # Ok::<(), sse_core::error::InvalidEvent>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "it takes effect in `.keep_alive(..)`"]
pub struct KeepAlive {
    interval: Interval,
    /// `None` is the `retry` line.
    form: Option<Box<Form>>,
}

/// The longest silence, in milliseconds. Kept small, because every response has one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval(NonZeroU32);

#[derive(Debug, Clone)]
pub(crate) enum Form {
    Comment(Vec<u8>),
    Event(Frame),
}

/// The shortest interval; a shorter one would only waste power.
const SHORTEST: Duration = Duration::from_millis(100);

impl Default for KeepAlive {
    fn default() -> Self {
        Self::every(Duration::from_secs(15))
    }
}

impl KeepAlive {
    /// Creates a keep-alive that is sent after a silence of `interval`; less than 100 ms counts as 100 ms.
    pub fn every(interval: Duration) -> Self {
        let millis = u32::try_from(interval.max(SHORTEST).as_millis()).unwrap_or(u32::MAX);
        Self { interval: Interval(NonZeroU32::new(millis).unwrap_or(NonZeroU32::MAX)), form: None }
    }

    /// Adds `text` as comment lines after the `retry` line.
    pub fn comment(self, text: impl AsRef<str>) -> Self {
        let mut lines = Vec::new();
        write_lines(&mut lines, b": ", text.as_ref());
        Self { form: Some(Box::new(Form::Comment(lines))), ..self }
    }

    /// Sends an event of this type with empty data instead. Page code can see it, and so detect a dead
    /// connection.
    ///
    /// # Errors
    /// [`InvalidEvent::Type`] if the type is not allowed.
    pub fn event(self, event_type: impl AsRef<str>) -> Result<Self, InvalidEvent> {
        let frame = Frame::try_from(Event::default().event(event_type).data(""))?;
        Ok(Self { form: Some(Box::new(Form::Event(frame))), ..self })
    }

    /// Returns the next pause.
    #[cfg(feature = "fallbacks")]
    pub(super) fn pause(&self) -> Duration {
        self.interval.pause()
    }

    /// Returns the interval and the form.
    pub(super) fn into_parts(self) -> (Interval, Option<Box<Form>>) {
        (self.interval, self.form)
    }
}

impl Interval {
    /// Returns the next pause.
    pub(super) fn pause(self) -> Duration {
        Duration::from_millis(self.0.get().into()).mul_f64(1.0 - 0.1 * fastrand::f64())
    }
}
