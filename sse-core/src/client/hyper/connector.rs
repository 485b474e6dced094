//! Makes connections to a server, or through a proxy.

use std::{
    error, fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use super::proxies::{Proxies, Proxy};
use crate::client::transport::{BoxError, PermanentError};

/// The time limit for one of several addresses of a host.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(15);

/// The time limit for the whole connection: names, TCP, the proxy's tunnel, TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A peer that has disappeared is detected after a minute and a half, even where the client waits without a
/// limit.
const KEEPALIVE_TIME: Duration = Duration::from_secs(45);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;

/// The largest head of a proxy's response to `CONNECT`.
const MAX_TUNNEL_HEAD: usize = 16 * 1024;

pub(super) type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects over TCP to the server, or to the proxy for it.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    proxies: Proxies,
}

impl Connector {
    pub(super) fn new(proxies: Proxies) -> Self {
        let mut tcp = HttpConnector::new();
        // The scheme decides the protocol over the connection, which is outside this connector.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(ADDRESS_TIMEOUT));
        tcp.set_keepalive(Some(KEEPALIVE_TIME));
        tcp.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        Self { tcp, proxies }
    }
}

impl Service<Uri> for Connector {
    type Response = Hop;
    type Error = BoxError;
    type Future = Connecting<Hop>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { mut tcp, proxies } = self.clone();
        Box::pin(async move {
            let Some(proxy) = proxies.find(&uri).map_err(PermanentError::new)? else {
                return Ok(Hop { io: tcp.call(uri).await?, is_proxied: false });
            };
            let io = tcp.call(proxy.uri.clone()).await?;
            if uri.scheme_str() == Some("https") {
                return Ok(Hop { io: tunnel(io, &uri, &proxy).await?, is_proxied: false });
            }
            Ok(Hop { io, is_proxied: true })
        })
    }
}

/// Asks the proxy for a tunnel to a server: from then on the connection is the server's.
async fn tunnel(io: TokioIo<TcpStream>, uri: &Uri, proxy: &Proxy) -> Result<TokioIo<TcpStream>, BoxError> {
    let stream = io.into_inner();
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(443);
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend([b"Proxy-Authorization: ", authorization.as_bytes(), b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    write_all(&stream, &request).await?;
    let head = read_head(&stream).await?;
    let status = head.split(|byte| *byte == b' ').nth(1).and_then(|status| status.get(..3));
    let status = status.and_then(|status| http::StatusCode::from_bytes(status).ok());
    match status {
        Some(status) if status.is_success() => Ok(TokioIo::new(stream)),
        // The proxy refuses, and will refuse later too. A failure of the proxy itself may pass.
        Some(status) if status.is_client_error() => Err(PermanentError::new(TunnelRefused(status)).into()),
        Some(status) => Err(TunnelRefused(status).into()),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "the proxy does not speak HTTP").into()),
    }
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads up to the empty line. Nothing follows it until this side has sent something.
async fn read_head(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MAX_TUNNEL_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the proxy's answer is too long"));
        }
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => head.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

/// The proxy did not open a tunnel.
#[derive(Debug)]
struct TunnelRefused(http::StatusCode);

impl fmt::Display for TunnelRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy answered {} to CONNECT", self.0)
    }
}

impl error::Error for TunnelRefused {}

/// Aborts a connection that takes too long. A request without a time limit of its own needs this: only its
/// response may take long.
#[derive(Clone)]
pub(super) struct Timed<C>(pub(super) C);

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Connecting<C::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            match timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(connected) => connected,
                Err(_) => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, "the connection takes too long").into())
                }
            }
        })
    }
}

/// A connection to the server, or to a proxy that gets requests for it.
pub(super) struct Hop {
    io: TokioIo<TcpStream>,
    is_proxied: bool,
}

impl Connection for Hop {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_proxied)
    }
}

impl Read for Hop {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Hop {
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
