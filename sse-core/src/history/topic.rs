use std::{borrow::Borrow, error, fmt, sync::Arc};

/// The longest topic or pattern in bytes.
const MAX_LEN: usize = 256;

/// A label under which events are published: visible ASCII in parts that dots divide, such as `prices.eur`.
///
/// At most 256 bytes; no part may be empty or hold `*` or `>`, which stand for parts in a [`Pattern`].
///
/// ```
/// use sse_core::Topic;
///
/// assert_eq!(Topic::new("prices.eur")?.as_str(), "prices.eur");
/// assert!(Topic::new("prices.*").is_err());
/// # Ok::<(), sse_core::InvalidTopic>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks `text` and makes a topic of it.
    ///
    /// # Errors
    /// [`InvalidTopic`] says what is wrong and where.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidTopic> {
        Pattern::new(text)?.into_topic()
    }

    /// The topic as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a reader asks for: a topic, or one with wildcards.
///
/// A part `*` stands for exactly one part, and a last part `>` for one or more: `prices.*` is `prices.eur` but not
/// `prices.eur.spot`, and `prices.>` is both.
///
/// ```
/// use sse_core::{Pattern, Topic};
///
/// let prices = Pattern::new("prices.*")?;
/// assert!(prices.matches(&Topic::new("prices.eur")?));
/// assert!(!prices.matches(&Topic::new("prices.eur.spot")?));
/// assert!(Pattern::new("prices.>")?.matches(&Topic::new("prices.eur.spot")?));
/// # Ok::<(), sse_core::InvalidTopic>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    text: Arc<str>,
    exact: bool,
}

impl Pattern {
    /// Checks `text` and makes a pattern of it.
    ///
    /// # Errors
    /// [`InvalidTopic`] says what is wrong and where.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidTopic> {
        let text = text.as_ref();
        let exact = check(text)?;
        Ok(Self { text: text.into(), exact })
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a topic, without wildcards.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// The topic that it is.
    ///
    /// # Errors
    /// [`InvalidTopic::Wildcard`] if it has wildcards.
    pub fn into_topic(self) -> Result<Topic, InvalidTopic> {
        if self.exact { Ok(Topic(self.text)) } else { Err(InvalidTopic::Wildcard) }
    }

    /// Whether `topic` is one of those that it stands for.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        self.matches_text(&topic.0)
    }

    /// As `matches`, for the text of a topic.
    pub(crate) fn matches_text(&self, topic: &str) -> bool {
        if self.exact {
            return *self.text == *topic;
        }
        let mut parts = topic.split('.');
        for wanted in self.text.split('.') {
            match (wanted, parts.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(part)) if wanted == part => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }

    /// The text before the first wildcard: every topic that matches begins with it.
    pub(crate) fn literal_prefix(&self) -> &str {
        let end = self.text.find(['*', '>']).filter(|_| !self.exact).unwrap_or(self.text.len());
        self.text.get(..end).unwrap_or_default()
    }
}

impl From<Topic> for Pattern {
    fn from(topic: Topic) -> Self {
        Self { text: topic.0, exact: true }
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text cannot be a topic or a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTopic {
    /// An empty text, or an empty part as in `a..b`. Name each part.
    EmptyPart,
    /// A byte at this index that is not visible ASCII. Encode the name, for example by percent-encoding.
    NotVisibleAscii {
        /// The byte's index in the text.
        at: usize,
    },
    /// `*` or `>` within a longer part, or a `>` that is not the last part. A wildcard is a whole part.
    MisplacedWildcard,
    /// No topic at all. Name at least one.
    Missing,
    /// A topic that begins with `$sse.`, under which hubs talk to each other. Choose another name.
    Reserved,
    /// More than 256 bytes. Use a shorter name.
    TooLong {
        /// The text's length in bytes.
        len: usize,
    },
    /// More topics in one call than the limit. Use a wildcard, or several subscriptions.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A wildcard where one topic is needed. Name the topic.
    Wildcard,
}

impl fmt::Display for InvalidTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyPart => f.write_str("topic: an empty part; name each part, as in `prices.eur`"),
            Self::NotVisibleAscii { at } => {
                write!(f, "topic: byte {at} is not visible ASCII; encode the name")
            }
            Self::MisplacedWildcard => f.write_str(
                "topic: a wildcard is a whole part, and `>` the last one, as in `prices.*` or `prices.>`",
            ),
            Self::Missing => f.write_str("topic: none is named; name at least one"),
            Self::Reserved => {
                f.write_str("topic: names that begin with `$sse.` are the hub's own; choose another")
            }
            Self::TooLong { len } => write!(f, "topic: {len} bytes, at most {MAX_LEN} are allowed"),
            Self::TooMany { limit } => write!(f, "topic: more than {limit} in one call; use a wildcard"),
            Self::Wildcard => f.write_str("topic: a wildcard where one topic is needed; name the topic"),
        }
    }
}

impl error::Error for InvalidTopic {}

/// Whether it is exact, or what is wrong with it.
fn check(text: &str) -> Result<bool, InvalidTopic> {
    if text.len() > MAX_LEN {
        return Err(InvalidTopic::TooLong { len: text.len() });
    }
    if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
        return Err(InvalidTopic::NotVisibleAscii { at });
    }
    let mut exact = true;
    let mut parts = text.split('.').peekable();
    while let Some(part) = parts.next() {
        match part {
            "" => return Err(InvalidTopic::EmptyPart),
            "*" => exact = false,
            ">" if parts.peek().is_none() => exact = false,
            part if part.contains(['*', '>']) => return Err(InvalidTopic::MisplacedWildcard),
            _ => {}
        }
    }
    Ok(exact)
}

/// A key together with its scope, the sorted topics: the same key may be used for others.
pub(crate) fn scoped(topics: &[Topic], key: &str) -> String {
    let mut scoped = String::new();
    for topic in topics {
        scoped.push_str(topic.as_str());
        scoped.push(' ');
    }
    // Allowed in no topic, so the first one ends the scope whatever the key holds.
    scoped.push('\n');
    scoped.push_str(key);
    scoped
}

/// What `publish`, `signal`, `finish` and `subscribe` take: one topic, or several in an array, slice or `Vec`.
///
/// Only `subscribe` accepts wildcards.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name topics",
    note = "topics are named by `&str`, `String`, `Topic` or `Pattern`, or an array, slice or `Vec` of one of them"
)]
pub trait IntoTopics {
    /// The topics or patterns, in the order given.
    ///
    /// # Errors
    /// [`InvalidTopic`] if one of them is not valid.
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic>;
}

macro_rules! one_topic {
    ($($t:ty),*) => {$(
        impl IntoTopics for $t {
            fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
                Ok(vec![Pattern::new(self)?])
            }
        }
    )*};
}
one_topic!(&str, String, &String);

impl IntoTopics for Topic {
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        Ok(vec![self.into()])
    }
}

impl IntoTopics for &Topic {
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        Ok(vec![self.clone().into()])
    }
}

impl IntoTopics for Pattern {
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        Ok(vec![self])
    }
}

impl<T: IntoTopics, const N: usize> IntoTopics for [T; N] {
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        each(self)
    }
}

impl<T: IntoTopics> IntoTopics for Vec<T> {
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        each(self)
    }
}

impl<T> IntoTopics for &[T]
where
    for<'a> &'a T: IntoTopics,
{
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        each(self)
    }
}

impl<T, const N: usize> IntoTopics for &[T; N]
where
    for<'a> &'a T: IntoTopics,
{
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        each(self)
    }
}

impl<T> IntoTopics for &Vec<T>
where
    for<'a> &'a T: IntoTopics,
{
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        each(self)
    }
}

impl IntoTopics for &&str {
    fn into_topics(self) -> Result<Vec<Pattern>, InvalidTopic> {
        (*self).into_topics()
    }
}

fn each<T: IntoTopics>(topics: impl IntoIterator<Item = T>) -> Result<Vec<Pattern>, InvalidTopic> {
    let mut all = Vec::new();
    for topic in topics {
        all.append(&mut topic.into_topics()?);
    }
    Ok(all)
}
