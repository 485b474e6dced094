//! A listener that is set up for many long streams: see [`listen()`].

use std::{io, net::SocketAddr, time::Duration};

use poem::{
    http::uri::Scheme,
    listener,
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::TcpStream;

/// Creates a listener set up for event streams, on which Poem serves: see the core's
/// [`listen`](sse_core::listen()).
///
/// The listener pauses while no file descriptor is free, and logs that once a minute; with Poem's own
/// listener, Poem then loops without a pause and without a message.
///
/// # Errors
/// The error of the operating system, such as an address in use.
///
/// ```no_run
/// use std::time::Duration;
/// use poem::{Route, Server};
///
/// # async fn serve(app: Route) -> std::io::Result<()> {
/// let listener = sse_poem::listen(([127, 0, 0, 1], 3000), Duration::from_secs(15))?;
/// Server::new(listener).run(app).await
/// # }
/// ```
pub fn listen(addr: impl Into<SocketAddr>, keep_alive: Duration) -> io::Result<Listener> {
    Ok(Listener(sse_core::listen(addr, keep_alive)?.into()))
}

/// The listener that [`listen()`] returns.
#[derive(Debug)]
#[must_use = "nothing is accepted until a server takes it"]
pub struct Listener(sse_core::listen::Listener);

impl Listener {
    /// Returns the address on which it listens.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl listener::Listener for Listener {
    type Acceptor = Self;

    async fn into_acceptor(self) -> io::Result<Self> {
        Ok(self)
    }
}

impl listener::Acceptor for Listener {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr().map(|addr| LocalAddr(addr.into())).into_iter().collect()
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, LocalAddr, RemoteAddr, Scheme)> {
        let (io, addr) = self.0.accept().await;
        Ok((io, LocalAddr(self.0.local_addr()?.into()), RemoteAddr(addr.into()), Scheme::HTTP))
    }
}
