//! The servers that are measured, each in a process of its own: one thread, one route, the same listener.

mod axum;
mod hand_written;
mod poem;
mod rocket;
mod source;
mod warp;

use std::{future::Future, io::Write as _, pin::Pin};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

pub(crate) use axum::ticks;
pub(crate) use hand_written::Log;
pub(crate) use source::{MARK, Source, text};

use source::Tick;

use crate::Failure;

/// A server as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// The framework's own SSE type over `tokio::sync::broadcast`, as its documentation has it.
    Axum,
    /// The same on the listener that Tokio makes by itself.
    AxumTokioListener,
    /// What an application can write itself over axum's body: shared chunks of all that is pending.
    AxumHandWritten,
    /// A stream of events that are ready, through axum's own type.
    AxumReplay,
    /// The framework's connection with a body that never has anything.
    AxumBare,
    SseAxum,
    Warp,
    WarpBare,
    SseWarp,
    Poem,
    PoemBare,
    SsePoem,
    Rocket,
    RocketBare,
    SseRocket,
    /// nginx with the module nchan; a peer that must be installed.
    Nchan,
    /// better-sse on Node; a peer that must be installed.
    BetterSse,
}

/// A running server, and where its port is printed.
type Running = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

impl Server {
    /// Those that this program can be.
    const ALL: [Self; 15] = [
        Self::Axum,
        Self::AxumTokioListener,
        Self::AxumHandWritten,
        Self::AxumReplay,
        Self::AxumBare,
        Self::SseAxum,
        Self::Warp,
        Self::WarpBare,
        Self::SseWarp,
        Self::Poem,
        Self::PoemBare,
        Self::SsePoem,
        Self::Rocket,
        Self::RocketBare,
        Self::SseRocket,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::AxumTokioListener => "axum-tokio-listener",
            Self::AxumHandWritten => "axum-hand-written",
            Self::AxumReplay => "axum-replay",
            Self::AxumBare => "axum-bare",
            Self::SseAxum => "sse-axum",
            Self::Warp => "warp",
            Self::WarpBare => "warp-bare",
            Self::SseWarp => "sse-warp",
            Self::Poem => "poem",
            Self::PoemBare => "poem-bare",
            Self::SsePoem => "sse-poem",
            Self::Rocket => "rocket",
            Self::RocketBare => "rocket-bare",
            Self::SseRocket => "sse-rocket",
            Self::Nchan => "nchan",
            Self::BetterSse => "better-sse",
        }
    }

    pub(crate) fn is_ours(self) -> bool {
        self.name().starts_with("sse-")
    }

    fn run(self, source: Source, port: oneshot::Sender<u16>) -> Running {
        match self {
            Self::Warp | Self::WarpBare | Self::SseWarp => Box::pin(warp::run(source, port)),
            Self::Poem | Self::PoemBare | Self::SsePoem => Box::pin(poem::run(source, port)),
            Self::Rocket | Self::RocketBare | Self::SseRocket => Box::pin(rocket::run(source, port)),
            _ => Box::pin(axum::run(source, self == Self::AxumTokioListener, port)),
        }
    }
}

/// Runs the named server until its control connection ends.
///
/// Prints its port and the control connection's, and carries out that connection's lines one by one.
pub(crate) fn serve(name: &str) -> Result<(), Failure> {
    let server = Server::ALL.into_iter().find(|server| server.name() == name);
    let server = server.ok_or_else(|| format!("there is no server {name:?}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let source = Source::of(server);
        let (told, port) = oneshot::channel();
        let running = server.run(source.clone(), told);
        let control = async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            println!("{} {}", port.await?, listener.local_addr()?.port());
            std::io::stdout().flush()?;
            let (control, _) = listener.accept().await?;
            obey(control, &source).await
        };
        tokio::select! {
            ended = running => ended,
            ended = control => ended,
        }
    })
}

/// Publishes as many events as each line asks for, and answers when it is done.
async fn obey(control: TcpStream, source: &Source) -> Result<(), Failure> {
    control.set_nodelay(true)?;
    let (input, mut output) = control.into_split();
    let mut lines = BufReader::new(input).lines();
    while let Some(line) = lines.next_line().await? {
        source.publish(line.parse()?).await?;
        output.write_all(b"done\n").await?;
    }
    Ok(())
}
