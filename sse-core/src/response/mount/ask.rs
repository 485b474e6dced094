use crate::{
    history::{InvalidTopic, Pattern, Topic},
    hub::Start,
};

/// A request to mounted routes, about which the access hook has not decided yet.
#[derive(Debug, Clone)]
pub struct AccessRequest {
    action: AccessKind,
    topics: Vec<Pattern>,
    pub(super) start: Start,
    pub(super) event_type: Option<String>,
    pub(super) key: Option<String>,
}

/// The kind of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessKind {
    /// Reading topics.
    Subscribe,
    /// Publishing to topics.
    Publish,
}

impl AccessRequest {
    /// Parses a query: `topic` (repeatable), `start`, `event` and `key`. Other names are ignored.
    pub(super) fn read(
        action: AccessKind,
        query: Option<&str>,
        topics: Option<&[Pattern]>,
    ) -> Result<Self, InvalidTopic> {
        let topics = topics.map(<[Pattern]>::to_vec);
        let is_fixed = topics.is_some();
        let topics = topics.unwrap_or_default();
        let mut ask = Self { action, topics, start: Start::Live, event_type: None, key: None };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                // The only place where text from outside becomes a pattern, on purpose: a pattern that the
                // permit's own patterns do not cover is refused.
                "topic" if !is_fixed => ask.topics.push(match action {
                    AccessKind::Subscribe => Pattern::new(&value)?,
                    AccessKind::Publish => Topic::new(&value)?.into(),
                }),
                "start" => ask.start = start(&value),
                "event" => ask.event_type = Some(value.into_owned()),
                "key" => ask.key = Some(value.into_owned()),
                _ => {}
            }
        }
        if ask.topics.is_empty() { Err(InvalidTopic::Missing) } else { Ok(ask) }
    }

    /// Returns the kind of access.
    #[must_use]
    pub fn action(&self) -> AccessKind {
        self.action
    }

    /// Returns the topics, with wildcards if it is a subscription. At least one.
    #[must_use]
    pub fn topics(&self) -> &[Pattern] {
        &self.topics
    }
}

/// Any other text is `live`: an `EventSource` that gets an error never reconnects.
fn start(text: &str) -> Start {
    match text {
        "earliest" => Start::Earliest,
        number => number.parse().map_or(Start::Live, Start::Latest),
    }
}
