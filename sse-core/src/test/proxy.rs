use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::listen::Listener;

/// A connection that a test can cut: a TCP proxy on this machine, between a client under test and a server.
///
/// For clients with real connections: browsers, `EventSource`, or a program in another language. The proxy ends
/// when the value is dropped.
///
/// ```
/// use sse_core::test::Proxy;
/// # use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// # let server = TcpListener::bind("127.0.0.1:0").await?;
/// # let server_addr = server.local_addr()?;
/// # tokio::spawn(async move { let (mut peer, _) = server.accept().await.unwrap(); peer.write_all(b"data: hello\n\n").await.unwrap(); std::future::pending::<()>().await });
/// let proxy = Proxy::start(server_addr).await?;
/// proxy.cut_after(9);
/// let mut client = TcpStream::connect(proxy.addr()).await?;
/// let mut seen = Vec::new();
/// // In the middle of an event; the client is to discard it, reconnect and resume.
/// let _ = client.read_to_end(&mut seen).await;
/// assert_eq!(seen, b"data: hel");
/// # Ok(()) }
/// ```
pub struct Proxy {
    addr: SocketAddr,
    fault: watch::Sender<Fault>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, Default)]
struct Fault {
    /// Resets connections that began before this number of cuts.
    cuts: u64,
    /// Whether the proxy passes nothing; neither end is notified.
    held: bool,
    /// Resets each connection after this number of bytes from the server.
    after: Option<u64>,
}

impl Proxy {
    /// Starts a proxy in front of a server; must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If the system cannot listen on any port of this machine.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::default());
        let connections = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, server, faults, Arc::clone(&connections)));
        Ok(Self { addr, fault, connections, accepting })
    }

    /// Returns the address to which clients connect instead.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the number of connections that clients have made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Resets every open connection; new ones pass.
    pub fn cut(&self) {
        self.fault.send_modify(|fault| fault.cuts += 1);
    }

    /// Resets each connection made from now on after this number of bytes from the server, heads included,
    /// until [`heal`](Proxy::heal). The cut can be anywhere, also within an event.
    pub fn cut_after(&self, bytes: u64) {
        self.fault.send_modify(|fault| fault.after = Some(bytes));
    }

    /// Lets nothing pass any more and notifies neither end, like a pulled cable, until [`heal`](Proxy::heal).
    pub fn hold(&self) {
        self.fault.send_modify(|fault| fault.held = true);
    }

    /// Lets everything pass again; held bytes pass late.
    pub fn heal(&self) {
        self.fault.send_modify(|fault| *fault = Fault { cuts: fault.cuts, ..Fault::default() });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("addr", &self.addr).finish_non_exhaustive()
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    faults: watch::Receiver<Fault>,
    connections: Arc<AtomicUsize>,
) {
    // Dropped with the task, together with the connections.
    let mut relays = JoinSet::new();
    let mut listener = Listener::from(listener);
    loop {
        let (client, _) = listener.accept().await;
        connections.fetch_add(1, Ordering::AcqRel);
        relays.spawn(relay(client, server, faults.clone()));
        while relays.try_join_next().is_some() {}
    }
}

/// Passes bytes between two peers; either may leave at any time, which the other sees.
async fn relay(client: TcpStream, server: SocketAddr, mut faults: watch::Receiver<Fault>) -> io::Result<()> {
    let Fault { cuts, after, .. } = *faults.borrow();
    client.set_nodelay(true)?;
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let is_cut = tokio::select! {
        passed = pass(from_client, &mut to_server, None, faults.clone()) => passed?,
        passed = pass(from_server, &mut to_client, after, faults.clone()) => passed?,
        cut = faults.wait_for(|fault| fault.cuts != cuts) => cut.is_ok(),
    };
    if is_cut {
        // A reset, and not an end, because a broken connection looks like that.
        socket2::SockRef::from(to_client.as_ref()).set_linger(Some(Duration::ZERO))?;
        socket2::SockRef::from(to_server.as_ref()).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// Returns `true` if the connection was cut after this number of bytes; otherwise the peer has ended.
async fn pass(
    mut from: OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut left: Option<u64>,
    mut faults: watch::Receiver<Fault>,
) -> io::Result<bool> {
    let mut buffer = vec![0; 8 << 10];
    while left != Some(0) {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(false);
        }
        if faults.wait_for(|fault| !fault.held).await.is_err() {
            return Ok(false);
        }
        let len = left.map_or(read, |left| read.min(usize::try_from(left).unwrap_or(read)));
        to.write_all(buffer.get(..len).unwrap_or_default()).await?;
        left = left.map(|left| left - len as u64);
    }
    Ok(true)
}
