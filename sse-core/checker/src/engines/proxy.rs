use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinSet,
};

/// A cable between a process and its engine, which a test can cut, slow down, hold and restore.
pub struct Proxy {
    port: u16,
    cable: Arc<Mutex<Cable>>,
    pace: watch::Sender<Pace>,
}

#[derive(Default)]
struct Cable {
    is_cut: bool,
    connections: JoinSet<()>,
}

/// How data arrive.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    delay: Duration,
    is_held: bool,
}

impl Proxy {
    /// Listens on a free port and connects to `port` of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let cable = Arc::new(Mutex::new(Cable::default()));
        let pace = watch::Sender::new(Pace::default());
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        tokio::spawn(accept(listener, target, Arc::clone(&cable), pace.subscribe()));
        Self { port: own, cable, pace }
    }

    /// The port of the proxy.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and each new one at once.
    pub fn cut(&self) {
        let mut cable = self.cable.lock().unwrap();
        cable.is_cut = true;
        cable.connections.abort_all();
    }

    /// Delays all data by `delay`.
    pub fn delay(&self, delay: Duration) {
        self.pace.send_modify(|pace| pace.delay = delay);
    }

    /// Holds all data back, with the connections open; data sent in the meantime arrive afterwards.
    pub fn hold(&self) {
        self.pace.send_modify(|pace| pace.is_held = true);
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.cable.lock().unwrap().is_cut = false;
        self.pace.send_replace(Pace::default());
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    cable: Arc<Mutex<Cable>>,
    pace: watch::Receiver<Pace>,
) {
    while let Ok((near, _)) = listener.accept().await {
        let mut cable = cable.lock().unwrap();
        while cable.connections.try_join_next().is_some() {}
        if !cable.is_cut {
            let pace = pace.clone();
            cable.connections.spawn(async move {
                if let Ok(far) = TcpStream::connect(target).await {
                    join(near, far, pace).await;
                }
            });
        }
    }
}

/// Forwards data in both directions until one side ends.
async fn join(near: TcpStream, far: TcpStream, pace: watch::Receiver<Pace>) {
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let (mut near_reading, mut near_writing) = near.into_split();
    let (mut far_reading, mut far_writing) = far.into_split();
    tokio::select! {
        () = hand_on(&mut near_reading, &mut far_writing, pace.clone()) => {}
        () = hand_on(&mut far_reading, &mut near_writing, pace) => {}
    }
}

async fn hand_on(
    from: &mut tcp::OwnedReadHalf,
    to: &mut tcp::OwnedWriteHalf,
    mut pace: watch::Receiver<Pace>,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let Pace { delay, .. } = *pace.borrow();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if pace.wait_for(|pace| !pace.is_held).await.is_err() || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
