use std::{borrow::Borrow, error, fmt, sync::Arc};

/// The prefix reserved for the topics of signals between hubs.
pub(crate) const RESERVED_TOPICS: &str = "$sse.";

/// The maximum length of a topic or pattern in bytes.
pub(super) const MAX_LEN: usize = 256;

/// A label under which events are published: visible ASCII in parts that are separated by dots, such as
/// `prices.eur`.
///
/// At most 256 bytes; no part may be empty or contain `*` or `>`, which are the wildcards of a [`Pattern`].
/// Wherever a topic is taken, text is a literal topic: it never becomes a pattern. Convert names from outside,
/// such as those in a URL, with [`Topic::from_parts`], which encodes each name as one part.
///
/// ```
/// use sse_core::Topic;
///
/// assert_eq!(Topic::new("prices.eur")?.as_str(), "prices.eur");
/// assert!(Topic::new("prices.*").is_err());
/// # Ok::<(), sse_core::error::InvalidTopic>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks `text` and makes a topic of it.
    ///
    /// # Errors
    /// [`InvalidTopic`] describes what is wrong and where; [`InvalidTopic::Wildcard`] for a text with `*` or `>`.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidTopic> {
        let text = text.as_ref();
        match check(text) {
            Ok(true) => Ok(Self(text.into())),
            Ok(false) | Err(InvalidTopic::MisplacedWildcard) => Err(InvalidTopic::Wildcard),
            Err(error) => Err(error),
        }
    }

    /// Returns the topic as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A topic, or a topic with wildcards: what a reader asks for.
///
/// A part `*` matches exactly one part, and a last part `>` matches one or more: `prices.*` matches `prices.eur`
/// but not `prices.eur.spot`, and `prices.>` matches both. Text becomes a pattern only here: never make a pattern
/// of text from outside, unless the sender may choose wildcards. A [`Topic`] has none, so
/// `Pattern::new(format!("{topic}.*.status"))` is safe; for everything below a topic there is [`Pattern::below`].
///
/// ```
/// use sse_core::{Pattern, Topic};
///
/// let prices = Pattern::new("prices.*")?;
/// assert!(prices.matches(&Topic::new("prices.eur")?));
/// assert!(!prices.matches(&Topic::new("prices.eur.spot")?));
/// assert!(Pattern::new("prices.>")?.matches(&Topic::new("prices.eur.spot")?));
/// # Ok::<(), sse_core::error::InvalidTopic>(())
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
    /// [`InvalidTopic`] describes what is wrong and where.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidTopic> {
        let text = text.as_ref();
        let exact = check(text)?;
        Ok(Self { text: text.into(), exact })
    }

    /// Returns the pattern of everything below `topic`: `tenant.acme.>` for `tenant.acme`.
    ///
    /// ```
    /// use sse_core::{Pattern, Topic};
    ///
    /// let own = Pattern::below(&Topic::from_parts(["tenant", "acme"])?)?;
    /// assert!(own.matches(&Topic::new("tenant.acme.orders")?));
    /// assert!(!own.matches(&Topic::new("tenant.acme")?));
    /// # Ok::<(), sse_core::error::InvalidTopic>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidTopic::TooLong`] for a topic of more than 254 bytes.
    pub fn below(topic: &Topic) -> Result<Self, InvalidTopic> {
        Self::new(format!("{topic}.>"))
    }

    /// Returns the pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns `true` if the pattern is a topic, without wildcards.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Returns the topic that the pattern is.
    ///
    /// # Errors
    /// [`InvalidTopic::Wildcard`] if it has wildcards.
    pub fn into_topic(self) -> Result<Topic, InvalidTopic> {
        if self.exact { Ok(Topic(self.text)) } else { Err(InvalidTopic::Wildcard) }
    }

    /// Returns `true` if the pattern matches `topic`.
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

    /// Returns the text before the first wildcard: every topic that matches begins with it.
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

/// The reason why a text cannot be a topic or a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTopic {
    /// An empty text, or an empty part as in `a..b`. Name each part.
    EmptyPart,
    /// A byte that is not visible ASCII. Encode names with [`Topic::from_parts`].
    NotVisibleAscii {
        /// The byte's index in the text.
        at: usize,
    },
    /// `*` or `>` within a longer part, or a `>` that is not the last part. A wildcard is a whole part.
    MisplacedWildcard,
    /// An empty list of topics. Name at least one.
    Missing,
    /// A topic that begins with `$sse.`, which is reserved for messages between hubs. Choose another name.
    Reserved,
    /// More than 256 bytes. Use a shorter name, or a hash of it.
    TooLong {
        /// The length in bytes; of names given to [`Topic::from_parts`], the length after encoding.
        len: usize,
    },
    /// More topics in one call than the limit. Use several calls, or for readers a [`Pattern`] with a wildcard.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// `*` or `>` in a text or a [`Pattern`] where only topics are taken. Ask for wildcards with [`Pattern::new`]
    /// where patterns are taken, and encode names from outside with [`Topic::from_parts`].
    Wildcard,
}

impl fmt::Display for InvalidTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyPart => f.write_str("topic: an empty part; name each part, as in `prices.eur`"),
            Self::NotVisibleAscii { at } => {
                write!(f, "topic: byte {at} is not visible ASCII; encode names with `Topic::from_parts`")
            }
            Self::MisplacedWildcard => f.write_str(
                "topic: a wildcard is a whole part, and `>` the last one, as in `prices.*` or `prices.>`",
            ),
            Self::Missing => f.write_str("topic: none is named; name at least one"),
            Self::Reserved => {
                f.write_str("topic: names that begin with `$sse.` are the hub's own; choose another")
            }
            Self::TooLong { len } => write!(
                f,
                "topic: {len} bytes, at most {MAX_LEN} are allowed; use a shorter name, or a hash of it"
            ),
            Self::TooMany { limit } => write!(
                f,
                "topic: more than {limit} in one call; use several calls, or for readers a `Pattern` with a wildcard"
            ),
            Self::Wildcard => f.write_str(
                "topic: a wildcard where only a topic is taken; name one topic, subscribe to wildcards with \
                 `Pattern::new`, and encode names that come from outside with `Topic::from_parts`",
            ),
        }
    }
}

impl error::Error for InvalidTopic {}

/// Returns whether the text is an exact topic, or what is wrong with it.
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

/// Returns a key together with its scope, the sorted topics: the same key may be used for other topics.
pub(crate) fn scoped(topics: &[Topic], key: &str) -> String {
    let mut scoped = String::new();
    for topic in topics {
        scoped.push_str(topic.as_str());
        scoped.push(' ');
    }
    // Not allowed in a topic, so the first one ends the scope, whatever the key contains.
    scoped.push('\n');
    scoped.push_str(key);
    scoped
}
