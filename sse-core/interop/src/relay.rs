use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use sse_testkit::{Failed, Outcome};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

/// A relay between a browser and the application: it forwards everything, records the requests, and cuts a
/// connection where a test requests it.
///
/// All its connections end when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    app: SocketAddr,
    notes: Arc<Mutex<Notes>>,
    accepting: JoinSet<()>,
    /// The port, while the relay does not accept.
    held: Option<TcpSocket>,
}

#[derive(Debug, Default)]
struct Notes {
    /// The head of each request, in order.
    requests: Vec<String>,
    /// The bytes after which the next connection that carries them is cut.
    cut_after: Option<Vec<u8>>,
}

impl Relay {
    /// Starts one in front of an application.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(app: SocketAddr) -> Outcome<Self> {
        let (notes, accepting) = (Arc::default(), JoinSet::new());
        let held = hold(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let mut relay = Self { address: held.local_addr()?, app, notes, accepting, held: Some(held) };
        relay.accept()?;
        Ok(relay)
    }

    /// Ends the connections and refuses new ones.
    ///
    /// # Errors
    /// If the port is lost.
    pub async fn refuse(&mut self) -> Outcome {
        self.accepting.shutdown().await;
        self.held = Some(hold(self.address)?);
        Ok(())
    }

    /// Accepts connections again.
    ///
    /// # Errors
    /// If the relay already accepts.
    pub fn accept(&mut self) -> Outcome {
        let socket = self.held.take().ok_or_else(|| Failed::new("it accepts connections"))?;
        let listener = socket.listen(64)?;
        let (app, notes) = (self.app, Arc::clone(&self.notes));
        self.accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((browser, _)) = listener.accept().await {
                let notes = Arc::clone(&notes);
                connections.spawn(async move {
                    // Either side may disconnect at any time.
                    let _ = relay(browser, app, &notes).await;
                });
            }
        });
        Ok(())
    }

    /// The address for browsers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The head of each GET whose target begins with `target`, in order.
    #[must_use]
    pub fn requests(&self, target: &str) -> Vec<String> {
        let begin = format!("GET {target}");
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.requests.iter().filter(|head| head.starts_with(&begin)).cloned().collect()
    }

    /// Cuts the next connection that carries this text to a browser, right after it: in the middle of the response.
    pub fn cut_after(&self, text: &str) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).cut_after = Some(text.into());
    }
}

/// Reserves a port, so that no other program gets it, and does not listen yet.
pub(crate) fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections that have ended linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn relay(browser: TcpStream, app: SocketAddr, notes: &Mutex<Notes>) -> io::Result<()> {
    browser.set_nodelay(true)?;
    let app = TcpStream::connect(app).await?;
    let (from_browser, to_browser) = browser.into_split();
    let (from_app, to_app) = app.into_split();
    tokio::select! {
        done = pass_requests(from_browser, to_app, notes) => done,
        done = pass_answers(from_app, to_browser, notes) => done,
    }
}

async fn pass_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    notes: &Mutex<Notes>,
) -> io::Result<()> {
    let mut pending = Vec::new();
    loop {
        let before = pending.len();
        if from.read_buf(&mut pending).await? == 0 {
            return Ok(());
        }
        to.write_all(pending.get(before..).unwrap_or_default()).await?;
        while let Some(end) = find(&pending, b"\r\n\r\n") {
            let head = pending.drain(..end).collect::<Vec<_>>();
            let head = String::from_utf8_lossy(&head).into_owned();
            notes.lock().unwrap_or_else(PoisonError::into_inner).requests.push(head);
        }
    }
}

async fn pass_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    notes: &Mutex<Notes>,
) -> io::Result<()> {
    // The last forwarded bytes, which may be the beginning of the searched text.
    let mut passed = Vec::new();
    loop {
        let before = passed.len();
        if from.read_buf(&mut passed).await? == 0 {
            return Ok(());
        }
        let cut = cut(&passed, &mut notes.lock().unwrap_or_else(PoisonError::into_inner));
        let end = cut.unwrap_or(passed.len());
        to.write_all(passed.get(before..end).unwrap_or_default()).await?;
        if cut.is_some() {
            return Ok(());
        }
        passed.drain(..passed.len().saturating_sub(64));
    }
}

/// The position at which to cut these bytes, if any; later bytes are not cut.
fn cut(passed: &[u8], notes: &mut Notes) -> Option<usize> {
    let end = find(passed, notes.cut_after.as_deref()?)?;
    notes.cut_after = None;
    Some(end)
}

/// The end of the first occurrence of these bytes.
fn find(among: &[u8], bytes: &[u8]) -> Option<usize> {
    among.windows(bytes.len()).position(|window| window == bytes).map(|at| at + bytes.len())
}
