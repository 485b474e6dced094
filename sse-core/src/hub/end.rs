use std::{error, fmt, sync::Arc};

/// The reason why a stream ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EndReason {
    /// A poll was answered; the reader sends the next one.
    Answered,
    /// The application's own stream or channel ended.
    Complete,
    /// [`Hub::disconnect`](crate::hub::Hub::disconnect) or
    /// [`ReaderHandle::close`](crate::hub::ReaderHandle::close) ended the reader; it reconnects.
    Disconnected,
    /// The application's stream failed, or yielded an event that cannot be sent.
    Error(Arc<dyn error::Error + Send + Sync>),
    /// The reader's lease expired or was revoked; the reader reconnects and is authorised again.
    Expired,
    /// Every requested topic is finished.
    Finished,
    /// The reader closed the connection, or the server dropped it.
    Left,
    /// A limit on readers is reached; the reader was refused and comes back later.
    Limit,
    /// The stream reached its maximum age; the reader reconnects.
    MaxAge,
    /// Another reader has the exclusive place; this one was refused and comes back later.
    Occupied,
    /// A newer reader took over this reader's exclusive place; this one gets a `retry` of half an hour or more.
    Replaced,
    /// The process is shutting down; the reader reconnects.
    Shutdown,
    /// The reader did not read; it resumes when it does.
    Stalled,
    /// The history does not respond; the reader reconnects.
    Unavailable,
    /// The future passed to `until` completed.
    Until,
}

impl EndReason {
    /// Returns the name used in logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Complete => "complete",
            Self::Disconnected => "disconnected",
            Self::Error(_) => "error",
            Self::Expired => "expired",
            Self::Finished => "finished",
            Self::Left => "left",
            Self::Limit => "limit",
            Self::MaxAge => "max_age",
            Self::Occupied => "occupied",
            Self::Replaced => "replaced",
            Self::Shutdown => "shutdown",
            Self::Stalled => "stalled",
            Self::Unavailable => "unavailable",
            Self::Until => "until",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
