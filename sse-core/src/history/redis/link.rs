//! Connections to the primary: one for queries, which reconnects by itself.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, aio::MultiplexedConnection};

use super::failure;
use crate::history::{HistoryError, HistoryErrorKind};

/// The time limit for a connect.
const CONNECT: Duration = Duration::from_secs(2);

/// The time limit for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The shortest and the longest pause between attempts: doubled each time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The servers, one of which is the primary, and a connection to it.
#[derive(Debug)]
pub(super) struct Link {
    clients: Vec<Client>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Up { connection: Box<MultiplexedConnection>, number: u64, server: String },
    Down { number: u64, error: HistoryError },
}

/// A connection, with its number.
#[derive(Clone)]
pub(super) struct Linked {
    pub(super) connection: MultiplexedConnection,
    number: u64,
}

impl Link {
    /// Connects for the first time.
    pub(super) async fn connect(clients: Vec<Client>) -> Result<Arc<Self>, HistoryError> {
        let Primary { connection, server, .. } =
            primary(&clients, ANSWER).await.map_err(failure::connecting)?;
        let state = State::Up { connection: Box::new(connection), number: 0, server };
        Ok(Arc::new(Self { clients, state: Mutex::new(state) }))
    }

    /// Returns the connection, or immediately the error that explains why there is none.
    pub(super) fn get(&self) -> Result<Linked, HistoryError> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Up { connection, number, .. } => {
                Ok(Linked { connection: (**connection).clone(), number: *number })
            }
            State::Down { error, .. } => Err(error.clone()),
        }
    }

    /// Marks a connection as unusable, and opens another in the background.
    pub(super) fn broken(self: &Arc<Self>, linked: &Linked, error: &RedisError) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Up { number, .. } if *number == linked.number => {
                let number = number + 1;
                *state = State::Down { number, error: away(error) };
                tracing::warn!(%error, "the connection to Redis broke; making another");
                tokio::spawn(renew(Arc::downgrade(self)));
            }
            _ => {}
        }
    }

    /// Called when another connection broke: this one is replaced before a caller fails on it.
    pub(super) fn suspect(self: &Arc<Self>, error: &RedisError) {
        if let Ok(linked) = self.get() {
            self.broken(&linked, error);
        }
    }

    /// Opens another connection now, if the last one broke and there is none yet.
    pub(super) async fn restore(&self) -> RedisResult<()> {
        if self.get().is_err() {
            self.restored(primary(&self.clients, ANSWER).await?);
        }
        Ok(())
    }

    /// Returns whether queries go to this run of this server. A process that reads from one primary and writes to
    /// another one would follow two histories at once.
    pub(super) fn is_to(&self, run: &str) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(&*state, State::Up { server, .. } if server == run)
    }

    fn restored(&self, primary: Primary) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Down { number, .. } = &*state {
            let Primary { connection, server, .. } = primary;
            *state = State::Up { connection: Box::new(connection), number: *number, server };
            tracing::info!("connected to Redis again");
        }
    }

    /// Opens a separate connection to the primary.
    pub(super) async fn another(&self, answer: Duration) -> RedisResult<Primary> {
        primary(&self.clients, answer).await
    }
}

/// The pauses between attempts.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(PAUSES.0)
    }
}

impl Backoff {
    /// Waits, longer each time; jittered, so that many processes do not come back together.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.0.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.0 = (self.0 * 2).min(PAUSES.1);
    }
}

async fn renew(link: Weak<Link>) {
    let mut backoff = Backoff::default();
    loop {
        backoff.pause().await;
        let Some(link) = link.upgrade() else { return };
        match primary(&link.clients, ANSWER).await {
            Ok(primary) => return link.restored(primary),
            Err(cause) => {
                let mut state = link.state.lock().unwrap_or_else(PoisonError::into_inner);
                let State::Down { error, .. } = &mut *state else { return };
                *error = away(&cause);
            }
        }
    }
}

/// A connection to a primary, with its address and the run of the server.
pub(super) struct Primary {
    pub(super) connection: MultiplexedConnection,
    pub(super) client: Client,
    pub(super) server: String,
}

/// Connects to the first server that is a primary.
async fn primary(clients: &[Client], answer: Duration) -> RedisResult<Primary> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(answer));
    let mut failed = (redis::ErrorKind::InvalidClientConfig, "no URL").into();
    for client in clients {
        match connect(client, &config).await {
            Ok(primary) => return Ok(primary),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn connect(client: &Client, config: &AsyncConnectionConfig) -> RedisResult<Primary> {
    let mut connection = client.get_multiplexed_async_connection_with_config(config).await?;
    let info: String = Cmd::new().arg("INFO").query_async(&mut connection).await?;
    if info.contains("role:master") {
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
        return Ok(Primary { connection, client: client.clone(), server: run.trim().to_owned() });
    }
    let error = std::io::Error::new(std::io::ErrorKind::NotConnected, "the server is a replica");
    Err(error.into())
}

fn away(error: &RedisError) -> HistoryError {
    let message = "no connection to Redis at the moment, and nothing was sent; try again later";
    HistoryError::new(HistoryErrorKind::Unavailable, message).with_source(error.clone())
}

/// Returns one client for each URL.
pub(super) fn clients(urls: &str) -> Result<Vec<Client>, HistoryError> {
    if urls.contains("rediss://") || urls.contains("valkeys://") {
        choose_cryptography();
    }
    urls.split(',').map(|url| Client::open(url.trim()).map_err(failure::connecting)).collect()
}

/// The client's TLS uses the process's default cryptography and panics if there is more than one to choose from.
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // This fails only if another thread has just chosen.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}
