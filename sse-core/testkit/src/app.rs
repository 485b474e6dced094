use std::{future::Future, pin::Pin, time::Duration};

use sse_core::{Event, KeepAlive, Retention, origin::OriginPolicy};

use crate::Context;

/// A running server.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The suite's application, with one framework's routing.
///
/// | Route | Answers |
/// |---|---|
/// | `GET /events?topic=T&start=S&as=P&at=A&on=TERM` | [`Context::subscribe`], after the request's last event id |
/// | `GET /page?topic=T` | [`PAGE`](crate::PAGE), with `Vary: Accept`, if HTML is preferred, else a subscription |
/// | `/mounted` | the adapter's own routes, with [`Context::permit`] as access hook, which gets the `X-Tenant` header |
/// | `GET /compressed?topic=T&start=S` | the same, compressed for clients that accept gzip |
/// | `GET /late?topic=T` | the same, but subscribes only once the shutdown has begun |
/// | `GET /script` | a plain stream of [`Context::script`] |
/// | `GET /failing` | a stream that fails, or panics, after the script: [`Context::failing`] |
/// | `GET /ticks` | an endless plain stream, until the shutdown begins |
/// | `GET /tokens` | the same, until the shutdown's deadline |
/// | `POST /complete` | a channel's receiver: the body's words |
/// | `GET /numbers` | a plain stream that resumes by ids of its own: [`Context::numbers`] |
/// | `GET /talk` | a channel's receiver, sent to until the reader leaves: [`Context::talk`] |
/// | `POST /publish?topic=T&event=E` | publishes the body and answers `{"id":"…","receivers":N}` |
/// | `POST /finish?topic=T` | finishes the topic and answers the same |
/// | `POST /runs?topic=T` | begins a run of the body's words, [`Context::produce`], and answers 202 |
/// | `DELETE /runs?topic=T` | stops the run and answers 204, or 404 if there is none |
///
/// `GET` routes answer `HEAD` as well. `/events` has the adapter's preflight, by the policy of the mounted routes.
pub trait App: Sync {
    /// Binds port 0 itself, reports the address with [`Context::listens_at`], and serves until the shutdown.
    fn serve(&self, context: Context) -> Serving;

    /// Whether the framework drops header values that are not UTF-8 before a handler can see them.
    fn drops_headers_that_are_not_utf8(&self) -> bool {
        false
    }

    /// How long to wait for something that must happen.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// What a case requires of the server.
#[derive(Debug)]
pub struct Settings {
    /// Keep-alive of all streams.
    pub keep_alive: Option<KeepAlive>,
    /// Maximum age of all streams.
    pub max_age: Option<Duration>,
    /// Ends all streams after this time.
    pub until: Option<Duration>,
    /// The base of the jittered retries.
    pub retry: Duration,
    /// The events of the plain streams.
    pub script: Vec<Event>,
    /// Whether a plain stream stays open after its script.
    pub stays_open: bool,
    /// Whether a failing stream panics.
    pub panics: bool,
    /// Retention of the hub's window.
    pub retention: Retention,
    /// Time after which a silent run is abandoned.
    pub silence: Option<Duration>,
    /// Maximum number of readers of the hub.
    pub max_readers: usize,
    /// Origins that may use the mounted routes, and `/events` with `on=origins`.
    pub origins: OriginPolicy,
    /// The hub's limit on readers that do not read.
    pub stalled_after: Duration,
    /// The shutdown's window.
    pub window: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keep_alive: Some(KeepAlive::every(Duration::from_millis(200))),
            max_age: None,
            until: None,
            retry: Duration::from_secs(2),
            script: Vec::new(),
            stays_open: false,
            panics: false,
            retention: Retention::default(),
            silence: None,
            max_readers: usize::MAX,
            origins: OriginPolicy::same_origin(),
            stalled_after: Duration::from_secs(30),
            window: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// Without keep-alives, so that a body holds only what the case makes it hold.
    #[must_use]
    pub fn quiet() -> Self {
        Self { keep_alive: None, ..Self::default() }
    }

    /// Quiet, with a plain stream that sends these events and then ends.
    #[must_use]
    pub fn scripted(script: impl IntoIterator<Item = Event>) -> Self {
        Self { script: script.into_iter().collect(), ..Self::quiet() }
    }
}
