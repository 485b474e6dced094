use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use sse_core::{Event, Hub, Retention, SseRequest, Start};
use tokio::sync::broadcast;

use super::{Log, Server};
use crate::{Failure, corpus::EVENT_TYPE};

/// The byte that is once in each event's data and nowhere else in a response: by it deliveries are counted, however a
/// server cuts its stream into chunks.
pub(crate) const MARK: u8 = b'~';

/// The topic of all events.
pub(crate) const TOPIC: &str = "prices";

/// How many events a broadcast channel holds for its slowest reader.
const CAPACITY: usize = 1_024;

/// Where a server's events come from.
#[derive(Clone)]
pub(crate) enum Source {
    Broadcast {
        sender: broadcast::Sender<Tick>,
        next: Arc<AtomicU64>,
    },
    HandWritten(Arc<Log>),
    Hub(Hub),
    /// Each reader receives this number of events at once, and nothing after them.
    Ready(Arc<AtomicU64>),
    /// Each reader waits for ever.
    Bare,
}

/// What goes through a broadcast channel.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) id: u64,
    pub(crate) data: String,
}

/// An event's data, 100 bytes with the mark.
pub(crate) fn text() -> String {
    let mut random = fastrand::Rng::with_seed(11);
    std::iter::once(char::from(MARK)).chain((1..100).map(|_| random.lowercase())).collect()
}

/// A reader with a cursor also receives what is kept if that position is unknown.
pub(super) fn start(request: &SseRequest) -> Start {
    if request.last_event_id().is_empty() { Start::Live } else { Start::Earliest }
}

impl Source {
    pub(super) fn of(server: Server) -> Self {
        match server {
            Server::AxumHandWritten => Self::HandWritten(Arc::default()),
            Server::AxumReplay => Self::Ready(Arc::default()),
            Server::AxumBare | Server::WarpBare | Server::PoemBare | Server::RocketBare => Self::Bare,
            server if server.is_ours() => {
                Self::Hub(Hub::builder().retention(Retention::default().events(200_000)).memory())
            }
            _ => Self::Broadcast { sender: broadcast::channel(CAPACITY).0, next: Arc::default() },
        }
    }

    /// Publishes this number of events one after the other, without a pause.
    pub(crate) async fn publish(&self, count: usize) -> Result<(), Failure> {
        let data = text();
        for _ in 0..count {
            match self {
                Self::Broadcast { sender, next } => {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    // An event without a reader is dropped, which is not a failure.
                    let _ = sender.send(Tick { id, data: data.clone() });
                }
                Self::HandWritten(log) => log.push(&data),
                Self::Ready(ready) => {
                    ready.fetch_add(1, Ordering::Relaxed);
                }
                Self::Bare => {}
                Self::Hub(hub) => {
                    hub.publish(TOPIC, Event::message(&data).event(EVENT_TYPE)).await?;
                }
            }
        }
        Ok(())
    }
}

/// The body of nothing.
pub(super) fn nothing() -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync + 'static {
    stream::pending()
}
