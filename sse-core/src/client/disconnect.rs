use std::{error, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::wire::DecodeError;

/// Why a connection ended, or could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum Disconnect {
    /// The response is encoded in a way that was not asked for, or cannot be read.
    ContentEncoding(String),
    /// The response is 200 but not of the type `text/event-stream`.
    ContentType(Box<Refusal>),
    /// An event is beyond the limits. The cursor is still before it: the same request gets it again.
    Decode(DecodeError),
    /// The server ended the response as it should.
    Ended {
        /// An event was cut off by it and is discarded.
        mid_event: bool,
    },
    /// Nothing came for as long as [`idle_timeout`](super::EventSourceBuilder::idle_timeout) says.
    Idle(Duration),
    /// [`Interrupt::interrupt`](super::Interrupt::interrupt) was called.
    Interrupted,
    /// The request could not be sent, or the response broke off.
    Network(Box<dyn error::Error + Send + Sync>),
    /// 204: the server has nothing more to say, and the client is to stay away.
    NoContent,
    /// A redirect that cannot be followed.
    Redirect(InvalidRedirect),
    /// A status that is neither 200, nor 204, nor a redirect.
    Status(Box<Refusal>),
    /// No response for as long as [`connect_timeout`](super::EventSourceBuilder::connect_timeout) says.
    Timeout(Duration),
}

impl Disconnect {
    /// The answer of a server that refused, if that is the cause.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::ContentType(refusal) | Self::Status(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether it is how a stream is meant to end: cleanly, or with 204.
    pub(super) fn is_normal(&self) -> bool {
        matches!(self, Self::Ended { mid_event: false } | Self::NoContent)
    }

    /// What the standard wants: network errors and ends are tried again, answers are final.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Ended { .. } | Self::Idle(_) | Self::Interrupted | Self::Network(_) | Self::Timeout(_) => {
                true
            }
            Self::ContentEncoding(_)
            | Self::ContentType(_)
            | Self::Decode(_)
            | Self::NoContent
            | Self::Redirect(_)
            | Self::Status(_) => false,
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentEncoding(encoding) => {
                write!(
                    f,
                    "the response's content-encoding `{encoding}` cannot be read; ask for it, or for none"
                )
            }
            Self::ContentType(refusal) => match refusal.headers.get(http::header::CONTENT_TYPE) {
                Some(value) => write!(f, "the response is of type {value:?}, not text/event-stream"),
                None => f.write_str("the response has no content-type, so it is not text/event-stream"),
            },
            Self::Decode(error) => error.fmt(f),
            Self::Ended { mid_event: false } => f.write_str("the server ended the response"),
            Self::Ended { mid_event: true } => f.write_str("the server ended the response within an event"),
            Self::Idle(time) => write!(f, "nothing was received for {time:?}"),
            Self::Interrupted => f.write_str("interrupted by the application"),
            // Libraries tell the outer error only, and the cause is what helps.
            Self::Network(error) => {
                write!(f, "network error: {error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Self::NoContent => f.write_str("204: the server has nothing more to say"),
            Self::Redirect(error) => error.fmt(f),
            Self::Status(refusal) => write!(f, "the server answered {}", refusal.status),
            Self::Timeout(time) => write!(f, "no response within {time:?}"),
        }
    }
}

impl error::Error for Disconnect {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Network(error) => Some(&**error),
            Self::Redirect(error) => Some(error),
            _ => None,
        }
    }
}

/// What a server answered instead of an event stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The first bytes of the body, at most 4 KiB, as far as they came within 2 s.
    pub body: Bytes,
}

/// Why a redirect cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// It leads to another origin, and [`Redirects::same_origin`](super::Redirects::same_origin) forbids that.
    CrossOrigin {
        /// Where to.
        location: String,
    },
    /// Its `Location` is not an address that can be asked.
    Location {
        /// The header, as text.
        location: String,
    },
    /// One after the other, more than [`Redirects::most`](super::Redirects::most) allows.
    TooMany {
        /// The limit.
        most: u32,
    },
}

impl fmt::Display for InvalidRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CrossOrigin { location } => {
                write!(f, "redirect to another origin, `{location}`; allow it or ask there directly")
            }
            Self::Location { location } => {
                write!(f, "redirect to `{location}`, which is not an http or https address that can be asked")
            }
            Self::TooMany { most } => {
                write!(f, "more than {most} redirects; the server sends it in a circle")
            }
        }
    }
}

impl error::Error for InvalidRedirect {}
