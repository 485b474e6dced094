use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// The fault of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// All data arrive late, and in batches.
    Delay,
    /// All data are dropped without an error: a pulled cable, a NAT that lost its state.
    HalfOpen,
    /// Connections are reset at random, within an event.
    Reset,
    /// One byte at a time.
    Drip,
    /// No more data are read, until the buffers are full.
    StopReading,
    /// Connections are closed cleanly at random, within an event.
    Close,
}

/// A proxy between a client and a server, whose fault can be changed at any time.
pub struct Chaos {
    /// The address for clients.
    pub addr: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Chaos {
    /// Starts a proxy in front of a server.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let (fault, seen) = watch::channel(Fault::None);
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&accepted);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let seen = seen.clone();
                tokio::spawn(async move {
                    // Either side may disconnect at any time; that is the purpose.
                    let _ = relay(client, server, seen).await;
                });
            }
        });
        Ok(Self { addr, fault, accepted, accepting })
    }

    /// Sets the fault, also for open connections.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Number of connections that clients have made.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, server: SocketAddr, mut fault: watch::Receiver<Fault>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(server).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut requests = Box::pin(forward_requests(from_client, to_server, fault.clone()));
    let mut events = Box::pin(forward_events(from_server, to_client, &mut fault));
    tokio::select! {
        done = &mut requests => done,
        done = &mut events => done,
    }
}

/// Forwards requests, unless the fault drops everything.
async fn forward_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if matches!(*fault.borrow(), Fault::HalfOpen | Fault::StopReading) {
            continue;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

async fn forward_events(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: &mut watch::Receiver<Fault>,
) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    // A connection that has lost bytes can never be complete again.
    let mut is_dead = false;
    loop {
        let now = *fault.borrow_and_update();
        if now == Fault::StopReading {
            fault.changed().await.map_err(io::Error::other)?;
            continue;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read?,
            _ = fault.changed() => continue,
        };
        if read == 0 {
            return Ok(());
        }
        let bytes = &buffer[..read];
        is_dead |= now == Fault::HalfOpen;
        if is_dead {
            continue;
        }
        match now {
            Fault::Delay => {
                sleep(Duration::from_millis(fastrand::u64(20..120))).await;
                to.write_all(bytes).await?;
            }
            Fault::Drip => drip(bytes, &mut to).await?,
            Fault::Reset | Fault::Close if fastrand::u8(..) < 40 => {
                // Cut within the chunk, so within an event or a line of the chunked coding.
                to.write_all(&bytes[..fastrand::usize(..read)]).await?;
                if now == Fault::Reset {
                    socket2::SockRef::from(to.as_ref()).set_linger(Some(Duration::ZERO))?;
                } else {
                    to.shutdown().await?;
                }
                return Ok(());
            }
            _ => to.write_all(bytes).await?,
        }
    }
}

async fn drip(bytes: &[u8], to: &mut OwnedWriteHalf) -> io::Result<()> {
    for (at, byte) in bytes.iter().enumerate() {
        timeout(Duration::from_secs(5), to.write_all(&[*byte])).await??;
        // A pause now and then, so that the bytes are read one by one.
        if at % 16 == 0 {
            sleep(Duration::from_millis(1)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}
