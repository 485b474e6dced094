use std::{error, fmt, sync::Arc};

/// Why a stream ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EndReason {
    /// A poll was answered; the reader asks again.
    Answered,
    /// The application's own stream or channel has nothing more to say.
    Complete,
    /// [`Hub::disconnect`](crate::hub::Hub::disconnect) or [`ReaderHandle::close`](crate::hub::ReaderHandle::close) ended the
    /// reader; it reconnects.
    Disconnected,
    /// The application's stream failed, or yielded an event that cannot be sent.
    Error(Arc<dyn error::Error + Send + Sync>),
    /// The reader's lease expired or was revoked; the reader reconnects and is judged anew.
    Expired,
    /// Every topic asked for is finished.
    Finished,
    /// The reader closed the connection, or the server dropped it.
    Left,
    /// A limit on readers is reached; the reader was refused and comes back later.
    Limit,
    /// The stream was as old as it may become; the reader reconnects.
    MaxAge,
    /// Another reader has the exclusive place; this one was refused and comes back later.
    Occupied,
    /// A newer reader took this one's exclusive place; it is told to stay away for half an hour or more.
    Replaced,
    /// The process shuts down; the reader reconnects.
    Shutdown,
    /// The reader did not read; it resumes when it does.
    Stalled,
    /// The history does not answer; the reader reconnects.
    Unavailable,
    /// The future given to `until` completed.
    Until,
}

impl EndReason {
    /// The name in logs and metrics.
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
