//! A connection whose first response may name any version of HTTP/1.
//!
//! Browsers and curl read `HTTP/1.0` with chunks, `HTTP/2.0` in text and `http/1.1`; hyper does not. The rest
//! of such a head has the meaning that HTTP/1.1 gives it, so hyper gets an HTTP/1.1 line. Only the first
//! response of a connection is changed: the later ones come from a server whose first one was accepted.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower_service::Service;

use super::connector::Connecting;
use crate::client::transport::BoxError;

const VERSION: &[u8; 8] = b"HTTP/1.1";

/// A connector that changes the first line of each connection.
#[derive(Clone)]
pub(super) struct AnyVersion<C>(pub(super) C);

impl<C> Service<Uri> for AnyVersion<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = FirstLine<C::Response>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { Ok(FirstLine { io: connecting.await?, version: Some(Version::default()) }) })
    }
}

pub(super) struct FirstLine<T> {
    io: T,
    /// The first bytes, until they are complete and have been passed on.
    version: Option<Version>,
}

#[derive(Default)]
struct Version {
    bytes: [u8; VERSION.len()],
    len: usize,
    /// The number of bytes that have been passed on.
    passed: usize,
    is_complete: bool,
}

impl Version {
    /// Completes the bytes to pass on, when no more will be received.
    fn complete(&mut self) {
        self.is_complete = true;
        let [name @ .., major, b'.', minor] = &self.bytes else { return };
        let is_version =
            name.eq_ignore_ascii_case(b"HTTP/") && matches!(major, b'1'..=b'9') && minor.is_ascii_digit();
        if self.len == VERSION.len() && is_version {
            self.bytes = *VERSION;
        }
    }
}

impl<T: Read + Unpin> Read for FirstLine<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { io, version: first } = &mut *self;
        let Some(version) = first else { return Pin::new(io).poll_read(cx, buffer) };
        while !version.is_complete {
            let mut rest = ReadBuf::new(version.bytes.get_mut(version.len..).unwrap_or_default());
            ready!(Pin::new(&mut *io).poll_read(cx, rest.unfilled()))?;
            let read = rest.filled().len();
            version.len += read;
            if read == 0 || version.len == VERSION.len() {
                version.complete();
            }
        }
        let room = buffer.remaining().min(version.len - version.passed);
        let bytes = version.bytes.get(version.passed..version.passed + room).unwrap_or_default();
        buffer.put_slice(bytes);
        version.passed += room;
        if version.passed == version.len {
            *first = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for FirstLine<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}

impl<T: Connection> Connection for FirstLine<T> {
    fn connected(&self) -> Connected {
        self.io.connected()
    }
}
