use std::{
    error, fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http::{Method, Request, Uri};

use super::{ClientError, ClientEvent, EventSourceBuilder, Interrupt, driver::Driver};
use crate::wire::Message;

/// A client: a stream of the messages that a server sends, which reconnects and resumes by itself.
///
/// It reads any endpoint of server-sent events as browsers do (section 9.2 of the HTML standard), and adds what a
/// program needs: jittered backoff, a watchdog, limits, and a cursor that can be saved. It does nothing until it is
/// polled, and dropping it cancels everything. The stream ends when the server says so by 204, or with one error when
/// trying again is of no use. It needs a Tokio runtime with time, and the default transport one with I/O.
///
/// ```no_run
/// use futures_util::StreamExt;
/// use sse_core::EventSource;
///
/// # async fn f(saved: String) -> Result<(), Box<dyn std::error::Error>> {
/// let mut prices = EventSource::get("https://example.com/prices")
///     .header("authorization", "Bearer …")
///     .last_event_id(saved)
///     .connect()?;
/// while let Some(message) = prices.next().await {
///     let message = message?;
///     if let Some(gap) = message.gap() {
///         println!("missed some: {gap:?}");
///     }
///     println!("{}: {}", message.last_event_id(), message.data());
/// }
/// # Ok(()) }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct EventSource {
    driver: Driver,
}

impl EventSource {
    /// Asks an address by GET. Reconnects as often as it takes, unless told otherwise.
    pub fn get<U>(uri: U) -> EventSourceBuilder
    where
        Uri: TryFrom<U, Error: Into<http::Error>>,
    {
        EventSourceBuilder::new(Request::builder().method(Method::GET).uri(uri).body(Bytes::new()))
    }

    /// Asks an address by POST. It is asked once: see [`repeat`](EventSourceBuilder::repeat).
    pub fn post<U>(uri: U) -> EventSourceBuilder
    where
        Uri: TryFrom<U, Error: Into<http::Error>>,
    {
        EventSourceBuilder::new(Request::builder().method(Method::POST).uri(uri).body(Bytes::new()))
    }

    /// Sends a request of any method with headers and body that are ready.
    pub fn from_request(request: Request<impl Into<Bytes>>) -> EventSourceBuilder {
        EventSourceBuilder::new(Ok(request.map(Into::into)))
    }

    /// The cursor: what a reconnect would send as `Last-Event-ID`. Empty if there is nothing to send.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.driver.machine().last_event_id()
    }

    /// A handle by which another task can force a new connection.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        self.driver.interrupt().clone()
    }

    /// Hands every message to `handler`, one after the other, and moves the cursor only after it has succeeded.
    ///
    /// `save` is called with each new cursor, after the handler: what it has stored is where a new process can go on
    /// from with [`last_event_id`](EventSourceBuilder::last_event_id), and then no message is lost. One that was being
    /// handled when the process died comes again: delivery is at least once. While the handler works nothing more is
    /// read, so memory is bounded and the server feels the back pressure.
    ///
    /// ```no_run
    /// use std::{fs, io};
    /// use sse_core::EventSource;
    ///
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// let saved = fs::read_to_string("cursor").unwrap_or_default();
    /// let source = EventSource::get("https://example.com/orders").last_event_id(saved).connect()?;
    /// source.run(async |order| Ok::<_, io::Error>(println!("{}", order.data())), |id| fs::write("cursor", id)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConsumeError::Handler`] with the first error of the handler or of `save`, and [`ConsumeError::Client`] if
    /// the client has to give up. It returns without one when the server ends the stream by 204.
    pub async fn run<E>(
        self,
        mut handler: impl AsyncFnMut(Message) -> Result<(), E>,
        mut save: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), ConsumeError<E>> {
        let mut driver = self.driver;
        let mut saved = driver.machine().last_event_id().to_owned();
        while let Some(event) = std::future::poll_fn(|cx| driver.poll_next(cx)).await {
            let id = match event.map_err(ConsumeError::Client)? {
                ClientEvent::Message(message) => {
                    let id = message.last_event_id().to_owned();
                    handler(message).await.map_err(ConsumeError::Handler)?;
                    id
                }
                ClientEvent::Cursor(id) | ClientEvent::Skipped { last_event_id: id, .. } => id,
                _ => continue,
            };
            if id != saved {
                save(&id).map_err(ConsumeError::Handler)?;
                saved = id;
            }
        }
        Ok(())
    }

    pub(super) fn new(driver: Driver) -> Self {
        Self { driver }
    }
}

impl Stream for EventSource {
    type Item = Result<Message, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.driver.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(ClientEvent::Message(message)))) => {
                    return Poll::Ready(Some(Ok(message)));
                }
                Poll::Ready(Some(Ok(_))) => {}
            }
        }
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource").field("last_event_id", &self.last_event_id()).finish_non_exhaustive()
    }
}

/// A client that shows all that happens to it; made by [`EventSourceBuilder::events`].
///
/// A message of type `sse.gap` comes as [`ClientEvent::Gap`].
#[must_use = "streams do nothing unless polled"]
pub struct Events {
    driver: Driver,
}

impl Events {
    /// The cursor: what a reconnect would send as `Last-Event-ID`. Empty if there is nothing to send.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.driver.machine().last_event_id()
    }

    /// A handle by which another task can force a new connection.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        self.driver.interrupt().clone()
    }

    pub(super) fn new(driver: Driver) -> Self {
        Self { driver }
    }
}

impl Stream for Events {
    type Item = Result<ClientEvent, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.driver.poll_next(cx).map(|event| {
            event.map(|event| {
                event.map(|event| match event {
                    ClientEvent::Message(message) => match message.gap() {
                        Some(gap) => ClientEvent::Gap { gap, message },
                        None => ClientEvent::Message(message),
                    },
                    event => event,
                })
            })
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("last_event_id", &self.last_event_id()).finish_non_exhaustive()
    }
}

/// Why [`EventSource::run`] stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConsumeError<E> {
    /// The client gave up.
    Client(ClientError),
    /// The handler or the saving of the cursor failed. The cursor that was saved last is before that message.
    Handler(E),
}

impl<E: fmt::Display> fmt::Display for ConsumeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Handler(error) => write!(f, "event source: the handler failed: {error}"),
        }
    }
}

impl<E: error::Error + 'static> error::Error for ConsumeError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Client(error) => Some(error),
            Self::Handler(error) => Some(error),
        }
    }
}
