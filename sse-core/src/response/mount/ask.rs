use crate::{
    history::{InvalidTopic, Pattern, Topic},
    hub::Start,
};

/// What a request to mounted routes asks for, before anybody has decided whether it may.
#[derive(Debug, Clone)]
pub struct AccessRequest {
    action: AccessKind,
    topics: Vec<Pattern>,
    pub(super) start: Start,
    pub(super) event_type: Option<String>,
    pub(super) key: Option<String>,
}

/// Of which kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessKind {
    /// Reading topics.
    Subscribe,
    /// Publishing to topics.
    Publish,
}

impl AccessRequest {
    /// Reads a query: `topic` as often as wanted, `start`, `event` and `key`. Other names are passed over.
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
                // The one place where text from outside is a pattern, on purpose: what is not covered by the permit's own
                // patterns is refused.
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

    /// Of which kind it is.
    #[must_use]
    pub fn action(&self) -> AccessKind {
        self.action
    }

    /// The topics, with wildcards if it is to subscribe. At least one.
    #[must_use]
    pub fn topics(&self) -> &[Pattern] {
        &self.topics
    }
}

/// Anything else is `live`: an `EventSource` that is answered with an error never comes back.
fn start(text: &str) -> Start {
    match text {
        "earliest" => Start::Earliest,
        number => number.parse().map_or(Start::Live, Start::Latest),
    }
}
