//! Encodes any text as one part of a topic, and decodes it.

use std::borrow::Cow;

use super::{InvalidTopic, Topic, topic::MAX_LEN};

/// Begins an escaped byte; alone it is an empty text. Unlike `%`, which URLs decode, it has no meaning in a URL, a
/// NATS subject or a pattern.
const ESCAPE: u8 = b'~';

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl Topic {
    /// Makes a topic of texts, each of which becomes one part, whatever it contains: use it to put a name from
    /// outside into a topic.
    ///
    /// ASCII letters, digits, `_` and `-` stay unchanged. Every other byte of the text's UTF-8 becomes `~` and two
    /// upper-case hexadecimal digits, and an empty text becomes `~`. So a name never adds a part and never becomes
    /// a wildcard or a reserved topic, and two different lists never give the same topic. [`parts`](Topic::parts)
    /// decodes them.
    ///
    /// ```
    /// use sse_core::Topic;
    ///
    /// assert_eq!(Topic::from_parts(["builds", "main-42"])?.as_str(), "builds.main-42");
    /// assert_eq!(Topic::from_parts(["builds", ">"])?.as_str(), "builds.~3E");
    /// let topic = Topic::from_parts(["mail", "ann@example.com", ""])?;
    /// assert_eq!(topic.as_str(), "mail.ann~40example~2Ecom.~");
    /// assert!(topic.parts().eq(["mail", "ann@example.com", ""]));
    /// # Ok::<(), sse_core::error::InvalidTopic>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidTopic::TooLong`] if the topic would have more than 256 bytes: use a hash of long texts.
    /// [`InvalidTopic::Missing`] if there are no parts.
    pub fn from_parts<P: AsRef<str>>(parts: impl IntoIterator<Item = P>) -> Result<Self, InvalidTopic> {
        let mut topic = String::new();
        let mut len = 0;
        for (index, part) in parts.into_iter().enumerate() {
            let part = part.as_ref().as_bytes();
            len += usize::from(index > 0) + encoded_len(part);
            if len <= MAX_LEN {
                if index > 0 {
                    topic.push('.');
                }
                encode(part, &mut topic);
            }
        }
        match len {
            0 => Err(InvalidTopic::Missing),
            len if len > MAX_LEN => Err(InvalidTopic::TooLong { len }),
            _ => Self::new(topic),
        }
    }

    /// Returns the topic's parts, decoded if [`from_parts`](Topic::from_parts) encoded them.
    ///
    /// A part that `from_parts` cannot have made, such as `EUR/USD`, is returned unchanged.
    pub fn parts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.as_str().split('.').map(|part| decode(part).map_or(Cow::Borrowed(part), Cow::Owned))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn encoded_len(part: &[u8]) -> usize {
    let len: usize = part.iter().map(|byte| if is_plain(*byte) { 1 } else { 3 }).sum();
    len.max(1)
}

fn encode(part: &[u8], topic: &mut String) {
    if part.is_empty() {
        topic.push(ESCAPE.into());
    }
    for byte in part {
        if is_plain(*byte) {
            topic.push((*byte).into());
        } else {
            topic.push(ESCAPE.into());
            let digits = [byte >> 4, byte & 15];
            topic.extend(
                digits
                    .iter()
                    .filter_map(|digit| HEX.get(usize::from(*digit)))
                    .map(|digit| char::from(*digit)),
            );
        }
    }
}

/// Returns the text that `encode` turns into this part, if it differs and there is one.
fn decode(part: &str) -> Option<String> {
    if !part.as_bytes().contains(&ESCAPE) {
        return None;
    }
    let mut text = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            ESCAPE if part.len() == 1 => break,
            ESCAPE => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            byte => byte,
        };
        // Either a byte that needs no escape but is escaped, or the reverse.
        if is_plain(decoded) == (byte == ESCAPE) {
            return None;
        }
        text.push(decoded);
    }
    String::from_utf8(text).ok()
}

fn digit(byte: u8) -> Option<u8> {
    HEX.iter().position(|digit| *digit == byte).and_then(|digit| u8::try_from(digit).ok())
}
