//! The SQL text and parameters that publish an event in a transaction of the application.

use std::{error, fmt};

use super::{InvalidTopic, Topic};
use crate::wire::{Event, InvalidEvent};

/// The statement that publishes an event in a transaction of PostgreSQL, for any client: made by [`Event::outbox`].
///
/// The event is published if and when the transaction commits; see [the page about it](crate::docs::postgres).
///
/// ```
/// use sse_core::Event;
///
/// let publish = Event::message(r#"{"status":"paid"}"#).event("order").outbox("orders.42")?.key("order-42-paid");
/// assert_eq!(publish.sql(), "select sse.publish($1, $2, $3, $4)");
/// assert_eq!(
///     publish.params(),
///     [Some("orders.42"), Some(r#"{"status":"paid"}"#), Some("order"), Some("order-42-paid")]
/// );
/// # Ok::<(), sse_core::history::InvalidOutbox>(())
/// ```
///
/// With sqlx and a transaction `tx`:
///
/// ```text
/// let [topic, data, event, key] = publish.params();
/// sqlx::query(publish.sql()).bind(topic).bind(data).bind(event).bind(key).execute(&mut *tx).await?;
/// ```
///
/// With tokio-postgres:
///
/// ```text
/// let [topic, data, event, key] = publish.params();
/// tx.execute(publish.sql(), &[&topic, &data, &event, &key]).await?;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is published until your client executes the statement and the transaction commits"]
pub struct Outbox {
    sql: String,
    topic: Topic,
    data: String,
    event: Option<String>,
    key: Option<String>,
}

impl Outbox {
    /// Sets the key: of the events of this topic with the same key, the first one is kept.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Sets the schema's name. The default is `sse`.
    ///
    /// # Errors
    /// [`InvalidOutbox::Schema`] if it is not 1 to 41 lower-case letters, digits and underscores, or begins with a
    /// digit.
    pub fn schema(self, name: impl AsRef<str>) -> Result<Self, InvalidOutbox> {
        let name = name.as_ref();
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let begins = name.starts_with(|first: char| !first.is_ascii_digit());
        if !begins || name.len() > 41 || !name.bytes().all(is_allowed) {
            return Err(InvalidOutbox::Schema);
        }
        Ok(Self { sql: statement(name), ..self })
    }

    /// Returns the SQL text, with four parameters.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Returns the values of the parameters: the topic, the data, the type and the key.
    #[must_use]
    pub fn params(&self) -> [Option<&str>; 4] {
        [Some(self.topic.as_str()), Some(&self.data), self.event.as_deref(), self.key.as_deref()]
    }
}

impl Event {
    /// Returns the statement that publishes this event in a transaction of PostgreSQL.
    ///
    /// # Errors
    /// [`InvalidOutbox`] if the topic or the event is not valid, or has something that a statement does not publish:
    /// only data and a type are published.
    pub fn outbox(self, topic: impl AsRef<str>) -> Result<Outbox, InvalidOutbox> {
        let topic = Topic::new(topic).map_err(InvalidOutbox::Topic)?;
        if topic.as_str().starts_with(super::RESERVED_TOPICS) {
            return Err(InvalidOutbox::Topic(InvalidTopic::Reserved));
        }
        if self.is_reserved() {
            return Err(InvalidOutbox::Event(crate::wire::InvalidEventType::Reserved.into()));
        }
        let lines = self.into_lines().map_err(InvalidOutbox::Event)?;
        let lines = String::from_utf8(lines).map_err(|_| InvalidOutbox::Fields)?;
        let (mut data, mut event) = (None::<String>, None);
        for line in lines.lines() {
            match line.split_once(": ") {
                Some(("data", text)) => match &mut data {
                    Some(data) => data.extend(["\n", text]),
                    None => data = Some(text.to_owned()),
                },
                Some(("event", text)) => event = Some(text.to_owned()),
                _ => return Err(InvalidOutbox::Fields),
            }
        }
        let data = data.ok_or(InvalidOutbox::Event(InvalidEvent::NoData))?;
        if data.contains('\0') {
            return Err(InvalidOutbox::Nul);
        }
        Ok(Outbox { sql: statement("sse"), topic, data, event, key: None })
    }
}

fn statement(schema: &str) -> String {
    format!("select {schema}.publish($1, $2, $3, $4)")
}

/// The reason why an event cannot be published by a statement.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum InvalidOutbox {
    /// The event is not valid.
    Event(InvalidEvent),
    /// The event has an id, a `retry` or a comment, which a statement does not publish. Leave it out.
    Fields,
    /// The data has a NUL, which PostgreSQL's text cannot hold. Encode the data, for example as JSON.
    Nul,
    /// The schema's name is not 1 to 41 lower-case letters, digits and underscores, or begins with a digit.
    Schema,
    /// The topic is not valid.
    Topic(InvalidTopic),
}

impl fmt::Display for InvalidOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::Fields => f.write_str(
                "outbox: an id, a `retry` or a comment, which a statement does not publish; leave it out",
            ),
            Self::Nul => f.write_str(
                "outbox: the data has a NUL, which PostgreSQL's text cannot hold; encode the data, for example as JSON",
            ),
            Self::Schema => f.write_str(
                "outbox: the schema's name is not 1 to 41 lower-case letters, digits and underscores; use the name \
                 that was given to `PostgresHistory`",
            ),
            Self::Topic(error) => error.fmt(f),
        }
    }
}

impl error::Error for InvalidOutbox {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Event(error) => Some(error),
            Self::Topic(error) => Some(error),
            Self::Fields | Self::Nul | Self::Schema => None,
        }
    }
}
