use std::fmt;

/// An event as a client receives it: its type, its data, and the last event id after it.
///
/// ```
/// use sse_core::decode::Decoder;
///
/// let mut decoder = Decoder::new();
/// let message = decoder.messages(&mut &b"event: price\nid: 7\ndata: 42\n\n"[..]).next().transpose()?.unwrap();
/// assert_eq!((message.event_type(), message.data(), message.last_event_id()), ("price", "42", "7"));
/// # Ok::<(), sse_core::decode::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Message {
    /// Data, type and id in one allocation.
    text: String,
    data_len: usize,
    type_len: usize,
}

impl Message {
    /// Returns the event's type; `message` if the stream gave none.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.text.get(self.data_len..self.data_len + self.type_len).unwrap_or_default()
    }

    /// Returns the data, its lines joined by LF.
    #[must_use]
    pub fn data(&self) -> &str {
        self.text.get(..self.data_len).unwrap_or_default()
    }

    /// Returns the id of this event, or else that of the last event with an id; empty if there was none.
    ///
    /// A client sends it as `Last-Event-ID` when it reconnects.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.text.get(self.data_len + self.type_len..).unwrap_or_default()
    }

    /// Returns the data without a copy.
    #[must_use]
    pub fn into_data(mut self) -> String {
        self.text.truncate(self.data_len);
        self.text
    }

    /// Returns the data, parsed as JSON.
    ///
    /// ```
    /// use sse_core::decode::Decoder;
    ///
    /// let mut decoder = Decoder::new();
    /// let message = decoder.messages(&mut &b"data: [1, 2]\n\n"[..]).next().transpose()?.unwrap();
    /// assert_eq!(message.json::<Vec<u8>>()?, [1, 2]);
    /// assert!(message.json::<bool>().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidJson`] if the data is not valid JSON for a `T`.
    #[cfg(feature = "json")]
    pub fn json<'de, T: serde::Deserialize<'de>>(&'de self) -> Result<T, InvalidJson> {
        serde_json::from_str(self.data()).map_err(InvalidJson)
    }

    pub(super) fn new(event_type: &str, data: &str, last_event_id: &str) -> Self {
        let mut text = String::with_capacity(data.len() + event_type.len() + last_event_id.len());
        text.push_str(data);
        text.push_str(event_type);
        text.push_str(last_event_id);
        Self { text, data_len: data.len(), type_len: event_type.len() }
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        (self.data_len, self.type_len, &self.text) == (other.data_len, other.type_len, &other.text)
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("event_type", &self.event_type())
            .field("data", &self.data())
            .field("last_event_id", &self.last_event_id())
            .finish()
    }
}

/// The reason why a message's data is not the requested JSON.
#[cfg(feature = "json")]
#[derive(Debug)]
pub struct InvalidJson(serde_json::Error);

#[cfg(feature = "json")]
impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message: the data is not the JSON that was asked for: {}", self.0)
    }
}

#[cfg(feature = "json")]
impl std::error::Error for InvalidJson {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
