use std::{error, fmt};

use super::{Disconnect, UnexpectedResponse};

/// The reason why a client stopped before the server ended the stream.
///
/// The message names the cause. No more items follow the error.
#[derive(Debug)]
pub struct ClientError {
    pub(super) cause: Disconnect,
    pub(super) tries: u32,
}

impl ClientError {
    /// Returns the last failure.
    #[must_use]
    pub fn cause(&self) -> &Disconnect {
        &self.cause
    }

    /// Returns the last failure, owned.
    #[must_use]
    pub fn into_cause(self) -> Disconnect {
        self.cause
    }

    /// Returns the server's response, if it is the cause: status, headers, and the first bytes of the body.
    #[must_use]
    pub fn refusal(&self) -> Option<&UnexpectedResponse> {
        self.cause.refusal()
    }

    /// Returns the number of tries since the last open stream, or since the start.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event source: {}", self.cause)?;
        if self.tries > 1 {
            write!(f, " (after {} tries)", self.tries)?;
        }
        Ok(())
    }
}

impl error::Error for ClientError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// The reason why a request cannot be sent at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The address is not one that a client can request.
    Address {
        /// The address.
        uri: String,
        /// The problem with it.
        reason: &'static str,
    },
    /// A part of the request is not valid: address, header name or header value.
    Http(http::Error),
    /// The id to resume after cannot be sent in a header: it holds control bytes, or is not UTF-8.
    LastEventId {
        /// The id's first characters, with those that cannot be sent escaped.
        id: String,
    },
    /// The default transport cannot send the request: the system's root certificates cannot be read, or the
    /// environment names a proxy that cannot be used.
    Transport(Box<dyn error::Error + Send + Sync>),
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { uri, reason } => write!(f, "event source: `{uri}` cannot be asked: {reason}"),
            Self::Http(error) => write!(f, "event source: the request is not valid: {error}"),
            Self::LastEventId { id } => write!(
                f,
                "event source: the last event id `{id}` cannot be sent, because it holds control bytes or is not UTF-8; \
                 pass it as the server sent it, or none"
            ),
            Self::Transport(error) => write!(f, "event source: no transport: {error}"),
        }
    }
}

impl error::Error for InvalidRequest {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Address { .. } | Self::LastEventId { .. } => None,
            Self::Http(error) => Some(error),
            Self::Transport(error) => Some(&**error),
        }
    }
}
