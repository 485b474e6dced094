use std::{
    error, fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

#[cfg(doc)]
use crate::hub::Hub;
use crate::hub::{control_events, shared::Shared, window::append::Append};
use crate::{
    history::{
        Appended, DynHistory, Entry, EntryKind, HistoryError, HistoryErrorKind, IntoTopics, InvalidTopic,
        RESERVED_TOPICS, Topic,
    },
    resume::Cursor,
    wire::{Event, InvalidEvent, InvalidEventType},
};

/// How long a publish waits until its own process can deliver the event that the history has acknowledged.
const LOCAL_DELIVERY: Duration = Duration::from_secs(1);

/// The maximum length of a key in bytes.
const MAX_KEY: usize = 512;

/// A publish that has not been awaited yet; see [`Hub::publish`].
#[must_use = "nothing is published until it is awaited"]
pub struct Publish {
    target: Target,
    topics: Result<Vec<Topic>, InvalidTopic>,
    what: What,
    key: Option<String>,
}

pub(crate) enum Target {
    Hub(Arc<Shared>),
    History(DynHistory),
}

pub(crate) enum What {
    Event(Event),
    Finish,
    /// A finish of a topic that its producer abandoned.
    Abandon,
}

/// The result of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The cursor of the event; it prints as the event's id.
    pub cursor: Cursor,
    /// The number of readers of this process that the event was passed to. `None` if this process has no window
    /// or had not delivered the event within 1 s, which happens while its connection to the history is broken.
    pub receivers: Option<usize>,
    /// Whether the key was used before, so that nothing was published and `cursor` is the first event's.
    pub duplicate: bool,
}

impl Publish {
    pub(crate) fn new(target: Target, topics: impl IntoTopics, what: What) -> Self {
        Self { target, topics: exact(topics), what, key: None }
    }

    /// Publishes only once under this key: a second event with the same key and topics is not published, and its
    /// receipt is the first one's with `duplicate` set.
    ///
    /// A hub without history remembers the last 100,000 keys for 10 minutes, or fewer if the keys and the names
    /// of their topics take more than 64 MiB. The documentation of each engine states its own limits. A key has
    /// at most 512 bytes.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    fn run(self) -> Running {
        match self.prepare() {
            Err(error) => Running::Done(Some(Err(error))),
            Ok(PreparedEvent { target: Target::Hub(hub), topics, kind, lines, key }) => {
                match hub.history().cloned() {
                    None => {
                        let append = Append { topics: &topics, kind, lines };
                        let outcome = hub.window().append(append, key.as_deref());
                        let receivers = Some(outcome.receivers);
                        let receipt =
                            Receipt { cursor: outcome.cursor, receivers, duplicate: outcome.duplicate };
                        Running::Done(Some(Ok(receipt)))
                    }
                    Some(history) => {
                        let entry = Entry { topics: topics.clone(), kind, lines: lines.into(), key };
                        Running::Waiting(Box::pin(async move {
                            let appended = append(history, entry).await?;
                            let reached = hub.window().reaches(appended.cursor);
                            let local = tokio::time::timeout(LOCAL_DELIVERY, reached).await;
                            let receivers = local.ok().map(|()| hub.window().readers_of(&topics));
                            Ok(Receipt { cursor: appended.cursor, receivers, duplicate: appended.duplicate })
                        }))
                    }
                }
            }
            Ok(PreparedEvent { target: Target::History(history), topics, kind, lines, key }) => {
                let entry = Entry { topics, kind, lines: lines.into(), key };
                Running::Waiting(Box::pin(async move {
                    let appended = append(history, entry).await?;
                    Ok(Receipt { cursor: appended.cursor, receivers: None, duplicate: appended.duplicate })
                }))
            }
        }
    }

    fn prepare(self) -> Result<PreparedEvent, PublishError> {
        let topics = self.topics?;
        if self.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > MAX_KEY) {
            return Err(PublishError::Key);
        }
        let (kind, lines) = match self.what {
            What::Event(event) => (EntryKind::Event, publishable(event)?),
            What::Finish => match &*topics {
                [topic] => (EntryKind::Finish, control_events::end_lines(topic)),
                _ => return Err(InvalidTopic::TooMany { limit: 1 }.into()),
            },
            What::Abandon => match &*topics {
                [topic] => (EntryKind::Finish, control_events::abandoned_lines(topic)),
                _ => return Err(InvalidTopic::TooMany { limit: 1 }.into()),
            },
        };
        Ok(PreparedEvent { target: self.target, topics, kind, lines, key: self.key })
    }
}

struct PreparedEvent {
    target: Target,
    topics: Vec<Topic>,
    kind: EntryKind,
    lines: Vec<u8>,
    key: Option<String>,
}

/// The future of a [`Publish`].
pub struct Publishing(Running);

enum Running {
    New(Box<Publish>),
    Waiting(Pin<Box<dyn Future<Output = Result<Receipt, PublishError>> + Send>>),
    Done(Option<Result<Receipt, PublishError>>),
}

impl IntoFuture for Publish {
    type Output = Result<Receipt, PublishError>;
    type IntoFuture = Publishing;

    fn into_future(self) -> Publishing {
        Publishing(Running::New(Box::new(self)))
    }
}

impl Future for Publishing {
    type Output = Result<Receipt, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Running::New(_) = self.0
            && let Running::New(publish) = std::mem::replace(&mut self.0, Running::Done(None))
        {
            self.0 = publish.run();
        }
        match &mut self.0 {
            Running::Waiting(future) => future.as_mut().poll(cx),
            Running::Done(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            Running::New(_) => Poll::Pending,
        }
    }
}

/// Appends in a separate task, so that dropping the caller's future does not leave the append half done.
async fn append(history: DynHistory, entry: Entry) -> Result<Appended, HistoryError> {
    let append = tokio::spawn(async move { history.append(vec![entry]).await });
    let broken_off = |message: &str| HistoryError::new(HistoryErrorKind::Uncertain, message);
    let appended = append.await.map_err(|error| broken_off("the append broke off").with_source(error))??;
    appended.first().copied().ok_or_else(|| broken_off("the engine did not say where the event stands"))
}

/// Returns the encoded fields of an event that a hub may publish or signal.
pub(crate) fn publishable(event: Event) -> Result<Vec<u8>, PublishError> {
    let (has_id, has_data, is_reserved) = (event.has_id(), event.has_data(), event.is_reserved());
    let lines = event.into_lines()?;
    if has_id {
        return Err(PublishError::OwnId);
    }
    if !has_data {
        return Err(PublishError::NoData);
    }
    if is_reserved {
        return Err(InvalidEvent::Type(InvalidEventType::Reserved).into());
    }
    Ok(lines)
}

/// Returns the topics, sorted and without duplicates, or an error if they cannot be published to.
pub(crate) fn exact(topics: impl IntoTopics) -> Result<Vec<Topic>, InvalidTopic> {
    let mut topics = topics.into_topics()?;
    if topics.iter().any(|topic| topic.as_str().starts_with(RESERVED_TOPICS)) {
        return Err(InvalidTopic::Reserved);
    }
    if topics.is_empty() {
        return Err(InvalidTopic::Missing);
    }
    topics.sort_unstable();
    topics.dedup();
    Ok(topics)
}

/// The reason why an event was not published, or why the outcome is unknown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PublishError {
    /// The event is not valid.
    Event(InvalidEvent),
    /// The history could not store the event; the error reports whether it may have been stored.
    History(HistoryError),
    /// The key is empty or longer than 512 bytes. Use a hash of it.
    Key,
    /// The event has no data, so no client would dispatch it. Add `.data("")`.
    NoData,
    /// The event has an id of its own, but the hub assigns the ids. Leave it out, and use `key` against
    /// duplicates.
    OwnId,
    /// A topic is not valid.
    Topic(InvalidTopic),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::History(error) => error.fmt(f),
            Self::Key => {
                write!(f, "publish: the key is empty or longer than {MAX_KEY} bytes; use a hash of it")
            }
            Self::NoData => {
                f.write_str("publish: the event has no data, and no client dispatches it; add `.data(\"\")`")
            }
            Self::OwnId => {
                f.write_str("publish: the event has an id, but the hub gives the ids; leave it out")
            }
            Self::Topic(error) => error.fmt(f),
        }
    }
}

impl error::Error for PublishError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Event(error) => Some(error),
            Self::History(error) => Some(error),
            Self::Topic(error) => Some(error),
            Self::Key | Self::NoData | Self::OwnId => None,
        }
    }
}

impl From<InvalidEvent> for PublishError {
    fn from(error: InvalidEvent) -> Self {
        Self::Event(error)
    }
}

impl From<HistoryError> for PublishError {
    fn from(error: HistoryError) -> Self {
        Self::History(error)
    }
}

impl From<InvalidTopic> for PublishError {
    fn from(error: InvalidTopic) -> Self {
        Self::Topic(error)
    }
}
