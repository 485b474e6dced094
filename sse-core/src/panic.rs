//! Panics of the application's code that a stream runs: its stream of events, filters, loaders, hooks.
//!
//! A panic that leaves a body reaches the server, which drops the connection, perhaps in the middle of an event
//! and without the last `retry`. So it is caught where the application's code is called, and becomes an ordinary
//! error.

use std::{
    any::Any,
    error, fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A panic of the application's code.
#[derive(Debug)]
pub(crate) struct Panic {
    message: String,
}

impl Panic {
    /// Runs code of the application.
    ///
    /// The state that a panic leaves half done is not used again: the caller ends the stream.
    #[inline]
    pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(run)).map_err(|payload| Self::of(&*payload))
    }

    /// Makes a panic error whose message is known elsewhere.
    pub(crate) fn in_task() -> Self {
        Self { message: "in the task that sends its events".to_owned() }
    }

    #[cold]
    fn of(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self { message: message.unwrap_or("without a message").to_owned() }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the application panicked: {}", self.message)
    }
}

impl error::Error for Panic {}
