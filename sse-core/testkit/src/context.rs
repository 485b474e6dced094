use std::{
    collections::HashMap,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_stream::stream;
use futures_util::Stream;
use sse_core::{
    Event, EventStream, Hub, IntoEventStream, LastEventId, Lease, Pattern, Shutdown, StreamSummary, Topic,
    channel::{SendError, Sender},
    mount::{AccessDenied, AccessRequest, Permit},
    origin::OriginPolicy,
};
use tokio::sync::{mpsc, oneshot};

use crate::{Settings, counter_state::CounterState, producer::Pace};

/// The page of `GET /page`.
pub const PAGE: &str = "<!doctype html><title>A page</title>";

/// The text that makes the application's code panic: the name of a tenant, a word of an answer, or the data of an
/// event for readers on such terms.
pub(crate) const BOOM: &str = "boom";

/// Maximum length of a body for the mounted routes, in bytes.
pub const MAX_BODY: usize = 1_000;

/// Maximum number of readers of each tenant of the mounted routes, and of each principal under limits.
pub(crate) const MAX_READERS: usize = 2;

/// What the handlers of an [`App`](crate::App) share.
#[derive(Clone, Debug)]
pub struct Context {
    /// The hub.
    pub hub: Hub,
    /// The handle that ends the hub's streams and the server.
    pub shutdown: Shutdown,
    /// The state of `on=state`.
    pub(crate) sum: CounterState,
    /// Controls the pace of the runs.
    pub(crate) pace: Pace,
    pub(crate) settings: Arc<Settings>,
    /// The lease of each tenant of the mounted routes, and of each principal.
    leases: Arc<Mutex<HashMap<String, Lease>>>,
    listens: Arc<Mutex<Option<oneshot::Sender<SocketAddr>>>>,
    ended: mpsc::UnboundedSender<StreamSummary>,
    left: mpsc::UnboundedSender<SendError>,
}

/// What the handlers report to a case.
pub(crate) struct Reports {
    pub(crate) listens: oneshot::Receiver<SocketAddr>,
    pub(crate) ended: mpsc::UnboundedReceiver<StreamSummary>,
    pub(crate) left: mpsc::UnboundedReceiver<SendError>,
}

impl Context {
    pub(crate) fn new(settings: Settings) -> (Self, Reports) {
        let shutdown = Shutdown::within(settings.window);
        let hub = Hub::builder()
            .retention(settings.retention)
            .max_readers(settings.max_readers)
            .stalled_after(settings.stalled_after)
            .shutdown(shutdown.clone())
            .memory();
        let (listens, listening) = oneshot::channel();
        let (ended, endings) = mpsc::unbounded_channel();
        let (left, leavings) = mpsc::unbounded_channel();
        let listens = Arc::new(Mutex::new(Some(listens)));
        let (settings, leases) = (Arc::new(settings), Arc::default());
        let (sum, pace) = (CounterState::default(), Pace::default());
        let context = Self { hub, shutdown, sum, pace, settings, leases, listens, ended, left };
        (context, Reports { listens: listening, ended: endings, left: leavings })
    }

    /// Reports the address of the server.
    pub fn listens_at(&self, address: SocketAddr) {
        let listens = self.listens.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listens) = listens {
            // A case that has given up no longer waits for it.
            let _ = listens.send(address);
        }
    }

    /// The origins that may use the mounted routes.
    pub fn origins(&self) -> OriginPolicy {
        self.settings.origins.clone()
    }

    /// The access hook of the mounted routes: each tenant reads and publishes below `tenant.NAME`, under its own
    /// lease and limit.
    ///
    /// # Errors
    /// If the request names no tenant.
    ///
    /// # Panics
    /// For the tenant `BOOM`.
    pub fn permit(&self, tenant: Option<&str>, _: &AccessRequest) -> Result<Permit, AccessDenied> {
        let tenant = tenant.ok_or(AccessDenied::Unauthorized)?.to_owned();
        assert_ne!(tenant, BOOM, "{Failure}");
        let own = Pattern::below(&Topic::from_parts(["tenant", &tenant])?)?;
        let lease = self.lease(&tenant);
        let permit = Permit::read((&own, "news"))?.publish(own)?;
        Ok(permit.with(move |subscribe| {
            let limit = format!("tenant {tenant}");
            subscribe.fallbacks().lease(lease).limit(limit, MAX_READERS).principal(tenant)
        }))
    }

    /// The lease under which a tenant or a principal reads.
    pub(crate) fn lease(&self, tenant: &str) -> Lease {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.entry(tenant.to_owned()).or_default().clone()
    }

    /// Adds the case's options to the stream, and a hook that reports its end.
    pub fn configure(&self, events: impl IntoEventStream) -> EventStream {
        let ended = self.ended.clone();
        let settings = &self.settings;
        let mut stream = EventStream::new(events)
            .keep_alive(settings.keep_alive.clone())
            .retry(settings.retry)
            .on_end(move |end| drop(ended.send(end)));
        if let Some(max_age) = settings.max_age {
            stream = stream.max_age(max_age);
        }
        if let Some(until) = settings.until {
            stream = stream.until(tokio::time::sleep(until));
        }
        stream
    }

    /// The case's events, after which it ends or stays open.
    pub fn script(&self) -> impl Stream<Item = Event> + Send + 'static {
        let settings = Arc::clone(&self.settings);
        stream! {
            for event in &settings.script {
                yield event.clone();
            }
            if settings.stays_open {
                pending::<()>().await;
            }
        }
    }

    /// Three numbers after the last one that the client received, each with itself as its id.
    pub fn numbers(&self, last: &LastEventId) -> impl Stream<Item = Event> + Send + use<> {
        let next = last.as_str().and_then(|id| id.parse::<u64>().ok()).map_or(0, |last| last + 1);
        stream! {
            for number in next..next + 3 {
                yield Event::message(number.to_string()).id(number);
            }
        }
    }

    /// The case's events, and then an error.
    pub fn failing(&self) -> impl Stream<Item = Result<Event, Failure>> + Send + 'static {
        let settings = Arc::clone(&self.settings);
        stream! {
            for event in &settings.script {
                yield Ok(event.clone());
            }
            assert!(!settings.panics, "{Failure}");
            yield Err(Failure);
        }
    }

    /// An endless stream.
    pub fn ticks(&self) -> impl Stream<Item = Event> + Send + use<> {
        stream! {
            for n in 0u64.. {
                yield Event::message("tick").id(n);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Sends words, each with a space after it; the word `BOOM` panics.
    pub fn words(&self, tx: Sender, text: String) {
        tokio::spawn(async move {
            for word in text.split_inclusive(' ') {
                assert_ne!(word, BOOM, "{Failure}");
                if tx.send(Event::message(word)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Sends until the reader leaves, then also waits for `closed`, and reports the error.
    pub fn talk(&self, tx: Sender) {
        let left = self.left.clone();
        tokio::spawn(async move {
            let error = loop {
                if let Err(error) = tx.send(Event::message("still there?")).await {
                    break error;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            tx.closed().await;
            drop(left.send(error));
        });
    }
}

/// The error of an application's own stream.
#[derive(Debug, Clone, Copy)]
pub struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the source broke")
    }
}

impl std::error::Error for Failure {}
