use std::{error, fmt, sync::Arc};

use super::line::control_character;

/// An event's type: the name under which page code listens for it. The type of an event without one is `message`.
///
/// Any non-empty text without control characters: a line break would inject a field, and Firefox loses the line
/// after a NUL. The length has no limit except the decoder's.
///
/// ```
/// use sse_core::EventType;
///
/// assert_eq!(EventType::new("price")?.as_str(), "price");
/// assert!(EventType::new("a\rb").is_err());
/// # Ok::<(), sse_core::error::InvalidEventType>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Checks `text` and makes a type of it.
    ///
    /// # Errors
    /// [`InvalidEventType`] describes what is wrong and where.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidEventType> {
        let text = text.as_ref();
        check(text)?;
        Ok(Self(text.into()))
    }

    /// Returns the type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EventType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for EventType {
    type Error = InvalidEventType;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

/// The reason why a text cannot be an event's type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidEventType {
    /// A control character (U+0000 to U+001F, or U+007F) at this byte. Leave it out.
    ControlCharacter {
        /// The byte's index in the text.
        at: usize,
    },
    /// An empty text, which a client reads as `message`. Leave the type out instead.
    Empty,
    /// The type begins with `sse.`, which is reserved for the hub's own events. Choose another name.
    Reserved,
}

impl fmt::Display for InvalidEventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlCharacter { at } => {
                write!(f, "event type: control character at byte {at}; leave it out")
            }
            Self::Empty => f.write_str("event type: empty; leave the type out, then it is `message`"),
            Self::Reserved => {
                f.write_str("event type: names that begin with `sse.` are the hub's own; choose another")
            }
        }
    }
}

impl error::Error for InvalidEventType {}

#[inline]
pub(super) fn check(text: &str) -> Result<(), InvalidEventType> {
    if text.is_empty() {
        return Err(InvalidEventType::Empty);
    }
    match control_character(text) {
        Some(at) => Err(InvalidEventType::ControlCharacter { at }),
        None => Ok(()),
    }
}
