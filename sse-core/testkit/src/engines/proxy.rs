use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A cable between a process and its engine, which a test can cut and mend.
pub struct Proxy {
    port: u16,
    cable: Arc<Mutex<Cable>>,
}

#[derive(Default)]
struct Cable {
    is_cut: bool,
    connections: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port and connects to `port` of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let cable = Arc::new(Mutex::new(Cable::default()));
        tokio::spawn(accept(listener, SocketAddr::from(([127, 0, 0, 1], port)), Arc::clone(&cable)));
        Self { port: own, cable }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and the new ones at once.
    pub fn cut(&self) {
        let mut cable = self.cable.lock().unwrap();
        cable.is_cut = true;
        cable.connections.abort_all();
    }

    /// Lets new connections through again.
    pub fn mend(&self) {
        self.cable.lock().unwrap().is_cut = false;
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, cable: Arc<Mutex<Cable>>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut cable = cable.lock().unwrap();
        while cable.connections.try_join_next().is_some() {}
        if !cable.is_cut {
            cable.connections.spawn(async move {
                if let Ok(mut far) = TcpStream::connect(target).await {
                    drop(copy_bidirectional(&mut near, &mut far).await);
                }
            });
        }
    }
}
