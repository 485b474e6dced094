//! Opens the three connections of a session: all to the same server.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::task::AbortHandle;
use tokio_postgres::{
    AsyncMessage, Client, Config,
    config::{SslMode, TargetSessionAttrs},
};
use tokio_util::sync::CancellationToken;

use super::{failure, failure::Failure, listener::Wakes, schema::Schema, tls::Tls};
use crate::history::{HistoryError, HistoryErrorKind};

/// The time limit for a connect.
const CONNECT: Duration = Duration::from_secs(2);

/// The time limit for an answer.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// The time limit for the first notification: after that, something between swallows notifications.
const FIRST_NOTIFICATION: Duration = Duration::from_secs(1);

/// How a server is reached.
pub(super) struct Target {
    config: Config,
    tls: Tls,
    schema: Schema,
    wakes: Arc<Wakes>,
}

/// Three connections to one server, which are replaced together.
pub(super) struct Session {
    pub(super) number: u64,
    /// For appends and numbering.
    pub(super) writer: Client,
    /// For everything else.
    pub(super) reader: Client,
    /// Has executed `LISTEN`; it is asked nothing that takes long.
    pub(super) listener: Client,
    /// Whether notifications arrive.
    pub(super) hears: AtomicBool,
    /// The id up to which this server's outbox is empty for good.
    pub(super) floor: AtomicI64,
    /// Cancelled when one of the connections has ended.
    pub(super) ended: CancellationToken,
    tasks: [AbortHandle; 3],
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Target {
    pub(super) fn new(
        url: &str,
        roots: &[u8],
        schema: Schema,
        wakes: Arc<Wakes>,
    ) -> Result<Self, HistoryError> {
        // This client knows only `require`, which verifies here.
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        let url = url.replace("sslmode=verify-ca", "sslmode=require");
        let mut config: Config = url.parse().map_err(failure::url)?;
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT)
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .tcp_user_timeout(Duration::from_secs(20));
        let tls = if config.get_ssl_mode() == SslMode::Require || !roots.is_empty() {
            config.ssl_mode(SslMode::Require);
            Tls::verifying(roots)
        } else {
            Tls::unverified()
        };
        let tls = tls.map_err(|error| {
            HistoryError::new(HistoryErrorKind::Settings, "the root certificates cannot be used")
                .with_source(error)
        })?;
        Ok(Self { config, tls, schema, wakes })
    }

    /// Opens one connection, for a check at the start.
    pub(super) async fn client(&self) -> Result<Client, Failure> {
        Ok(self.open(Role::Reader, &CancellationToken::new()).await?.0)
    }

    /// Opens the connections, and listens.
    pub(super) async fn session(&self, number: u64) -> Result<Session, Failure> {
        let ended = CancellationToken::new();
        let (listener, listening) = self.open(Role::Listener, &ended).await?;
        let (writer, writing) = self.open(Role::Writer, &ended).await?;
        let (reader, reading) = self.open(Role::Reader, &ended).await?;
        let session = Session {
            number,
            writer,
            reader,
            listener,
            hears: AtomicBool::new(false),
            floor: AtomicI64::new(0),
            ended,
            tasks: [listening, writing, reading],
        };
        let server = server(&session.listener).await?;
        for client in [&session.writer, &session.reader] {
            if self::server(client).await? != server {
                return Err(Failure::OtherServer);
            }
        }
        let Schema { bell, log, signals, .. } = &self.schema;
        let listen = format!("listen {bell}; listen {log}; listen {signals}");
        in_time(session.listener.batch_execute(&listen)).await?;
        self.check_hearing(&session).await?;
        Ok(session)
    }

    /// Notifies the own listener: a pooler may accept `LISTEN` and swallow what follows, and a connection may be dead
    /// without having been closed.
    pub(super) async fn check_hearing(&self, session: &Session) -> Result<(), Failure> {
        let nonce = format!("{:016x}", fastrand::u64(..));
        let mut heard = self.wakes.heard.subscribe();
        let notify = format!("select pg_catalog.pg_notify('{}', '{nonce}')", self.schema.bell);
        in_time(session.reader.batch_execute(&notify)).await?;
        let arrives = heard.wait_for(|heard| *heard == nonce);
        let hears = matches!(tokio::time::timeout(FIRST_NOTIFICATION, arrives).await, Ok(Ok(_)));
        if session.hears.swap(hears, Ordering::Relaxed) && !hears {
            return Err(Failure::Slow);
        }
        if !hears {
            self.wakes.report_deaf();
        }
        Ok(())
    }

    /// Opens a connection and drives it in a task. Only the listener's passes on notifications: behind a pooler, they
    /// arrive by chance at the connection that has just notified.
    async fn open(&self, role: Role, ended: &CancellationToken) -> Result<(Client, AbortHandle), Failure> {
        let mut config = self.config.clone();
        config.application_name(format!("{} {}", self.schema.name, role.name()));
        let connecting = async { config.connect(self.tls.clone()).await.map_err(Failure::Postgres) };
        let (client, mut connection) =
            tokio::time::timeout(ANSWER, connecting).await.map_err(|_| Failure::Slow)??;
        let (schema, wakes) = (self.schema.clone(), Arc::clone(&self.wakes));
        let ended = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _ended = ended;
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(notification) = message
                    && role == Role::Listener
                {
                    wakes.dispatch(&schema, notification.channel(), notification.payload());
                }
            }
        });
        Ok((client, task.abort_handle()))
    }
}

/// The purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Listener,
    Reader,
    Writer,
}

impl Role {
    /// Returns the name that `pg_stat_activity` shows, after that of the schema.
    fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Reader => "reader",
            Self::Writer => "writer",
        }
    }
}

/// Returns what distinguishes a run of a server.
async fn server(client: &Client) -> Result<String, Failure> {
    const START: &str = "select pg_catalog.pg_postmaster_start_time()::pg_catalog.text";
    let rows = in_time(client.query_typed(START, &[])).await?;
    let row = rows.first().ok_or(Failure::Slow)?;
    row.try_get(0).map_err(Failure::Postgres)
}

/// Waits for an answer, up to the limit.
pub(super) async fn in_time<T>(
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(Failure::Postgres),
        Err(_) => Err(Failure::Slow),
    }
}
