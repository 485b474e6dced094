use std::{
    error, fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

#[cfg(doc)]
use super::EventSourceBuilder;
use super::{ClientError, ClientEvent, Interrupt, driver::Driver};
use crate::wire::Message;

/// A client: a stream of the messages that a server sends. It reconnects and resumes by itself.
///
/// Reads any endpoint of server-sent events as browsers do (section 9.2 of the HTML standard), and adds what a
/// program needs: jittered backoff, a watchdog, limits, and a cursor that can be saved. The client does nothing
/// until it is polled, and dropping it cancels everything. The stream ends when the server responds with 204,
/// or with one error when another try would not help. It needs a Tokio runtime with time, and the default
/// transport needs one with I/O.
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
    /// Returns the cursor: the `Last-Event-ID` of the next reconnect. Empty if there is nothing to send.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.driver.machine().last_event_id()
    }

    /// Returns a handle by which another task can force a new connection.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        self.driver.interrupt().clone()
    }

    /// Passes every message to `handler`, one after the other, and moves the cursor only after it has
    /// succeeded.
    ///
    /// `save` is called with each new cursor, after the handler. A new process can resume from the last saved
    /// cursor with [`last_event_id`](EventSourceBuilder::last_event_id), and then no message is lost. A message
    /// that was being handled when the process died comes again: delivery is at least once. While the handler
    /// works, nothing more is read, so memory is bounded and the server sees back pressure.
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
    /// [`ConsumeError::Handler`] with the first error of the handler or of `save`, and [`ConsumeError::Client`]
    /// if the client has to stop. Returns without an error when the server ends the stream by 204.
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

/// A client that reports all its events; made by [`EventSourceBuilder::events`].
///
/// A message of type `sse.gap` is reported as [`ClientEvent::Gap`].
#[must_use = "streams do nothing unless polled"]
pub struct Events {
    driver: Driver,
}

impl Events {
    /// Returns the cursor: the `Last-Event-ID` of the next reconnect. Empty if there is nothing to send.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.driver.machine().last_event_id()
    }

    /// Returns a handle by which another task can force a new connection.
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

/// The reason why [`EventSource::run`] stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConsumeError<E> {
    /// The client stopped.
    Client(ClientError),
    /// The handler, or saving the cursor, failed. The last saved cursor is before that message.
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
