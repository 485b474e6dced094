//! A listener that is set up for many long streams: see [`listen()`].

use std::{fmt, io, net::SocketAddr, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until},
};

/// The number of connections that may wait to be accepted: when a server comes back, all its readers reconnect at
/// once.
const BACKLOG: i32 = 4_096;

/// The time for which written bytes may stay unacknowledged, as a multiple of the keep-alive interval: with one
/// interval of the keep-alive itself, a dead peer is detected within 2.5 intervals.
const UNANSWERED: f64 = 1.4;

/// The pause after a failed accept, which nearly always means that no file descriptor is free. Without a pause the
/// same failure occurs again at once, because the connection still waits.
const PAUSE: Duration = Duration::from_millis(250);

/// The time for which the same failure is not logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Makes a listener configured for event streams: without Nagle's delay, with a long backlog, and, on Linux, with
/// a time limit for peers that do not answer, which every accepted connection inherits.
///
/// `keep_alive` is the keep-alive interval of the streams. On Linux the kernel closes a connection whose peer is
/// dead, or has read nothing for 1.4 intervals (`TCP_USER_TIMEOUT`); a body cannot do that itself, because a
/// server does not poll it while the peer does not read. Must be called within a Tokio runtime.
///
/// # Errors
/// An [`io::Error`] of the operating system, such as an address in use.
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let listener = sse_core::listen(([127, 0, 0, 1], 0), Duration::from_secs(15))?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok(()) }
/// ```
pub fn listen(addr: impl Into<SocketAddr>, keep_alive: Duration) -> io::Result<TcpListener> {
    let addr = addr.into();
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(keep_alive.mul_f64(UNANSWERED)))?;
    #[cfg(not(target_os = "linux"))]
    let _ = keep_alive;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A listener whose [`accept`](Listener::accept) never fails: it pauses while no file descriptor is free, and logs
/// that once a minute.
///
/// For servers with their own accept loop without a pause. `axum::serve`, Warp and Rocket pause by themselves;
/// Poem does not, so `sse_poem::listen` makes one for it. Each stream uses a descriptor, so a server with many
/// readers needs a high limit (`ulimit -n`, `LimitNOFILE=`).
///
/// ```
/// use std::time::Duration;
/// use sse_core::{listen, listen::Listener};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let mut listener = Listener::from(listen(([127, 0, 0, 1], 0), Duration::from_secs(15))?);
/// # let _client = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
/// let (connection, peer) = listener.accept().await;
/// # let _ = (connection, peer);
/// # Ok(()) }
/// ```
pub struct Listener {
    tcp: TcpListener,
    paused_until: Option<Instant>,
    silent_until: Option<Instant>,
}

impl Listener {
    /// Accepts the next connection.
    ///
    /// Cancel-safe: a dropped future loses no connection, and a pause continues in the next call.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(paused_until) = self.paused_until {
                sleep_until(paused_until).await;
                self.paused_until = None;
            }
            match self.tcp.accept().await {
                Ok(accepted) => return accepted,
                // The error of this one connection, which is already closed.
                Err(error) if is_of_connection(&error) => {}
                Err(error) => self.pause(&error),
            }
        }
    }

    /// Returns the address on which it listens.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    fn pause(&mut self, error: &io::Error) {
        let now = Instant::now();
        self.paused_until = Some(now + PAUSE);
        if self.silent_until.is_none_or(|silent_until| silent_until <= now) {
            self.silent_until = Some(now + LOG_INTERVAL);
            tracing::error!(
                %error,
                "no connection can be accepted; new readers wait until others leave (raise the limit of open files)"
            );
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, paused_until: None, silent_until: None }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.tcp, f)
    }
}
