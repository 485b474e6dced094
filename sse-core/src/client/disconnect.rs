use std::{error, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::wire::DecodeError;

/// The reason why a connection ended, or could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum Disconnect {
    /// The response has a compression that this client cannot decode, or its bytes do not match its
    /// `Content-Encoding`. A name that is not a coding, such as `none` or `utf-8`, is ignored.
    ContentEncoding(String),
    /// The response is 200 but not of the type `text/event-stream`.
    ContentType(Box<UnexpectedResponse>),
    /// An event exceeds the limits. The cursor is still before it: the same request gets it again.
    Decode(DecodeError),
    /// The server ended the response normally.
    Ended {
        /// Whether the end cut off an event, which is discarded.
        mid_event: bool,
    },
    /// The response's head cannot be read: it is not HTTP, or exceeds the limits, such as
    /// [`max_headers`](super::HyperTransport::max_headers). Three in a row are final.
    Head(Box<dyn error::Error + Send + Sync>),
    /// No byte was received for the time set by [`idle_timeout`](super::EventSourceBuilder::idle_timeout).
    Idle(Duration),
    /// [`Interrupt::interrupt`](super::Interrupt::interrupt) was called.
    Interrupted,
    /// The request could not be sent, or the response broke off.
    Network(Box<dyn error::Error + Send + Sync>),
    /// 204: the server has nothing more to send, and the client must not reconnect.
    NoContent,
    /// A redirect that cannot be followed.
    Redirect(InvalidRedirect),
    /// A status that is neither 200, nor 204, nor a redirect.
    Status(Box<UnexpectedResponse>),
    /// No response was received for the time set by
    /// [`connect_timeout`](super::EventSourceBuilder::connect_timeout).
    Timeout(Duration),
    /// The transport cannot send such a request, now or later: see [`PermanentError`](super::PermanentError).
    Transport(Box<dyn error::Error + Send + Sync>),
}

impl Disconnect {
    /// Returns the response of a server that refused, if that is the cause.
    #[must_use]
    pub fn refusal(&self) -> Option<&UnexpectedResponse> {
        match self {
            Self::ContentType(refusal) | Self::Status(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns `true` for an intended end of a stream: a clean end, or 204.
    pub(super) fn is_normal(&self) -> bool {
        matches!(self, Self::Ended { mid_event: false } | Self::NoContent)
    }

    /// Returns `true` where the standard tries again: after network errors and ends, but not after responses.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Ended { .. }
            | Self::Head(_)
            | Self::Idle(_)
            | Self::Interrupted
            | Self::Network(_)
            | Self::Timeout(_) => true,
            Self::ContentEncoding(_)
            | Self::ContentType(_)
            | Self::Decode(_)
            | Self::NoContent
            | Self::Redirect(_)
            | Self::Status(_)
            | Self::Transport(_) => false,
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentEncoding(encoding) => {
                write!(
                    f,
                    "the response's content-encoding `{encoding}` cannot be decoded; let the server send it \
                     uncompressed (gzip and deflate are decoded with the feature `gzip`)"
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
            Self::Head(error) => write_chain(f, "the response's head cannot be read", &**error),
            Self::Network(error) => write_chain(f, "network error", &**error),
            Self::NoContent => f.write_str("204: the server has nothing more to say"),
            Self::Redirect(error) => error.fmt(f),
            Self::Status(refusal) => write!(f, "the server answered {}", refusal.status),
            Self::Timeout(time) => write!(f, "no response within {time:?}"),
            Self::Transport(error) => write_chain(f, "the request cannot be sent", &**error),
        }
    }
}

/// Writes an error with its causes: libraries print the outer error only, and the cause is the useful part.
fn write_chain(f: &mut fmt::Formatter<'_>, what: &str, error: &(dyn error::Error + 'static)) -> fmt::Result {
    write!(f, "{what}: {error}")?;
    let mut source = error.source();
    while let Some(error) = source {
        write!(f, ": {error}")?;
        source = error.source();
    }
    Ok(())
}

impl error::Error for Disconnect {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Head(error) | Self::Network(error) | Self::Transport(error) => Some(&**error),
            Self::Redirect(error) => Some(error),
            _ => None,
        }
    }
}

/// A server's response that was not an event stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UnexpectedResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The first bytes of the body, at most 4 KiB, as far as they were received within 2 s; decompressed where
    /// [`ContentEncoding`](Disconnect::ContentEncoding) would not be an error.
    pub body: Bytes,
}

impl UnexpectedResponse {
    /// Returns the body as text for a log or a terminal: at most `max_chars` characters, without spaces at its
    /// ends, with control characters (except tabs and line feeds) escaped, so that a server cannot control the
    /// terminal. Empty without a body.
    #[must_use]
    pub fn excerpt(&self, max_chars: usize) -> String {
        let text = String::from_utf8_lossy(&self.body).replace("\r\n", "\n");
        let text = text.trim();
        let mut excerpt = String::with_capacity(text.len());
        for char in text.chars().take(max_chars) {
            match char {
                '\t' | '\n' => excerpt.push(char),
                char if char.is_control() => excerpt.extend(char.escape_default()),
                char => excerpt.push(char),
            }
        }
        if text.chars().nth(max_chars).is_some() {
            excerpt.push('\u{2026}');
        }
        excerpt
    }
}

/// The reason why a redirect cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// The redirect would send the request's body to another origin, and
    /// [`Redirects::cross_origin_body`](super::Redirects::cross_origin_body) was not set.
    Body {
        /// The target.
        location: String,
    },
    /// The redirect leads to another origin, and [`Redirects::same_origin`](super::Redirects::same_origin)
    /// forbids that.
    CrossOrigin {
        /// The target.
        location: String,
    },
    /// The redirect leads to http, where everyone on the path can read and change the stream, and the
    /// application named https.
    Insecure {
        /// The target.
        location: String,
    },
    /// The `Location` is not an address that a client can request.
    Location {
        /// The header, as text.
        location: String,
    },
    /// More redirects in a row than [`Redirects::most`](super::Redirects::most) allows.
    TooMany {
        /// The limit.
        most: u32,
    },
}

impl fmt::Display for InvalidRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body { location } => write!(
                f,
                "redirect of a request with a body to another origin, `{location}`; allow it by \
                 `Redirects::cross_origin_body` or send the request there directly"
            ),
            Self::CrossOrigin { location } => {
                write!(f, "redirect to another origin, `{location}`; allow it or ask there directly")
            }
            Self::Insecure { location } => {
                write!(
                    f,
                    "redirect from https to http, `{location}`; name that address yourself if you trust the network"
                )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_cannot_control_a_terminal() {
        let excerpt = |body: &'static [u8], max_chars| {
            let (status, headers) = (StatusCode::BAD_REQUEST, HeaderMap::new());
            UnexpectedResponse { status, headers, body: Bytes::from_static(body) }.excerpt(max_chars)
        };
        assert_eq!(excerpt(b"\r\n{\"error\":\"no\"}\r\n", 100), r#"{"error":"no"}"#);
        assert_eq!(excerpt(b"a\tb\r\nc", 100), "a\tb\nc");
        assert_eq!(excerpt(b"\x1b[2Ja\0\xc2\x9b", 100), r"\u{1b}[2Ja\u{0}\u{9b}");
        assert_eq!(excerpt("\u{e9}\u{e9}\u{e9}".as_bytes(), 2), "\u{e9}\u{e9}\u{2026}");
        assert_eq!(excerpt(b"\xff", 2), "\u{fffd}");
        assert_eq!(excerpt(b" ", 2), "");
    }
}
