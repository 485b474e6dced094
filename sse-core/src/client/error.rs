use std::{error, fmt};

use super::{Disconnect, UnexpectedResponse};

/// Why a client stopped before the server told it to.
///
/// Its message names the cause. No more items follow it.
#[derive(Debug)]
pub struct ClientError {
    pub(super) cause: Disconnect,
    pub(super) tries: u32,
}

impl ClientError {
    /// The last failure.
    #[must_use]
    pub fn cause(&self) -> &Disconnect {
        &self.cause
    }

    /// The last failure, owned.
    #[must_use]
    pub fn into_cause(self) -> Disconnect {
        self.cause
    }

    /// The server's answer, if that is what ended it: status, headers, and the first bytes of the body.
    #[must_use]
    pub fn refusal(&self) -> Option<&UnexpectedResponse> {
        self.cause.refusal()
    }

    /// How many tries there were since the last open stream, or since the start.
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

/// Why a request cannot be sent at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The address is not one that a client can ask.
    Address {
        /// The address.
        uri: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A part of the request is not valid: address, header name or header value.
    Http(http::Error),
    /// The id to go on after is not one that a header can carry: it holds control bytes, or is not UTF-8.
    LastEventId {
        /// The id's first characters, with what cannot be sent escaped.
        id: String,
    },
    /// The default transport cannot send it: the system's root certificates cannot be read, or the environment names a
    /// proxy that cannot be used.
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
