use std::{borrow::Cow, error, fmt, sync::Arc};

use super::line::control_character;

/// An event's id: the text that a client sends back as `Last-Event-ID` when it reconnects.
///
/// At most [`EventId::MAX_LEN`] bytes of UTF-8, without control characters and without a space at either end: a
/// browser that has seen a control character in an id never reconnects, and outer spaces do not survive an HTTP
/// header. Prefer ASCII, because Node's clients cannot send anything else. The empty id is allowed; it makes the
/// client forget the last one (section 9.2.6 of the HTML standard).
///
/// ```
/// use sse_core::EventId;
///
/// assert_eq!(EventId::new("order-42")?.as_str(), "order-42");
/// assert!(EventId::new("two\nlines").is_err());
/// # Ok::<(), sse_core::error::InvalidEventId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Arc<str>);

impl EventId {
    /// The maximum length of an id in bytes.
    pub const MAX_LEN: usize = 512;

    /// Checks `text` and makes an id of it.
    ///
    /// # Errors
    /// [`InvalidEventId`] describes what is wrong and where.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidEventId> {
        let text = text.as_ref();
        check(text)?;
        Ok(Self(text.into()))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EventId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for EventId {
    type Error = InvalidEventId;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl TryFrom<String> for EventId {
    type Error = InvalidEventId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

/// The reason why a text cannot be an event's id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidEventId {
    /// A control character (U+0000 to U+001F, or U+007F) at this byte. Leave it out, or encode the id.
    ControlCharacter {
        /// The byte's index in the text.
        at: usize,
    },
    /// A space at the start or the end, which HTTP would remove. Trim the text, or encode the id.
    OuterSpace,
    /// Longer than [`EventId::MAX_LEN`]. Use a shorter key, such as a hash.
    TooLong {
        /// The text's length in bytes.
        len: usize,
    },
}

impl fmt::Display for InvalidEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlCharacter { at } => {
                write!(f, "event id: control character at byte {at}; leave it out or encode the id")
            }
            Self::OuterSpace => {
                f.write_str("event id: space at the start or the end, which HTTP would trim; trim it first")
            }
            Self::TooLong { len } => {
                write!(
                    f,
                    "event id: {len} bytes, at most {} are allowed; use a shorter key",
                    EventId::MAX_LEN
                )
            }
        }
    }
}

impl error::Error for InvalidEventId {}

/// A value that [`Event::id`](super::Event::id) accepts: any integer, text, an [`EventId`] or a
/// [`Cursor`](crate::Cursor).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an event's id",
    note = "an id is an integer, `&str`, `String`, `Cow<str>`, `EventId` or `Cursor`"
)]
pub trait IntoEventId {
    /// Appends the id's text to `out`, or returns why it is not valid.
    ///
    /// # Errors
    /// [`InvalidEventId`] if the text is not a valid id; `out` is then unchanged.
    fn write_id(&self, out: &mut Vec<u8>) -> Result<(), InvalidEventId>;
}

macro_rules! text_ids {
    ($($t:ty),*) => {$(
        impl IntoEventId for $t {
            #[inline]
            fn write_id(&self, out: &mut Vec<u8>) -> Result<(), InvalidEventId> {
                let text: &str = self.as_ref();
                check(text)?;
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
    )*};
}
text_ids!(str, &str, String, &String, Cow<'_, str>, &Cow<'_, str>, Box<str>, Arc<str>);

macro_rules! integer_ids {
    ($($t:ty),*) => {$(
        impl IntoEventId for $t {
            #[inline]
            fn write_id(&self, out: &mut Vec<u8>) -> Result<(), InvalidEventId> {
                out.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
                Ok(())
            }
        }
    )*};
}
integer_ids!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

impl IntoEventId for EventId {
    fn write_id(&self, out: &mut Vec<u8>) -> Result<(), InvalidEventId> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(())
    }
}

impl IntoEventId for &EventId {
    fn write_id(&self, out: &mut Vec<u8>) -> Result<(), InvalidEventId> {
        (*self).write_id(out)
    }
}

#[inline]
fn check(text: &str) -> Result<(), InvalidEventId> {
    if let Some(at) = control_character(text) {
        return Err(InvalidEventId::ControlCharacter { at });
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(InvalidEventId::OuterSpace);
    }
    if text.len() > EventId::MAX_LEN {
        return Err(InvalidEventId::TooLong { len: text.len() });
    }
    Ok(())
}
