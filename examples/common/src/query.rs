use sse_core::{Event, Pattern, Start, error::InvalidTopic};

/// A request's query string, for the frameworks whose own extractor takes each name only once.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Each `topic=`, in order.
    pub topics: Vec<String>,
    /// `event=`, the event's type.
    pub event: Option<String>,
    /// `key=`, the key under which an event is published only once.
    pub key: Option<String>,
    /// `start=`, where a reader without a cursor starts.
    pub start: Start,
}

impl Query {
    /// Parses a query string; it never fails, and unknown names are ignored.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "topic" => parsed.topics.push(value.into_owned()),
                "event" => parsed.event = Some(value.into_owned()),
                "key" => parsed.key = Some(value.into_owned()),
                "start" => parsed.start = start(Some(&value)),
                _ => {}
            }
        }
        parsed
    }
}

/// Parses the topics of `GET /events` as patterns: readers may choose wildcards, on purpose, because this route
/// shows all published events, including those of tenants. A route that must not do that checks first who asks, as
/// `/tenant` does. Everywhere else text from outside is a literal topic.
///
/// # Errors
/// [`InvalidTopic`] if a topic is not valid.
pub fn patterns(topics: &[String]) -> Result<Vec<Pattern>, InvalidTopic> {
    topics.iter().map(Pattern::new).collect()
}

/// Parses where a reader without a cursor starts: `live`, `earliest` or the number of latest events.
///
/// Anything else is `live`: an `EventSource` that gets an error never reconnects.
#[must_use]
pub fn start(text: Option<&str>) -> Start {
    match text {
        Some("earliest") => Start::Earliest,
        Some(number) => number.parse().map_or(Start::Live, Start::Latest),
        None => Start::Live,
    }
}

/// Makes an event with this data and, if given, this type.
pub fn event(data: &str, event_type: Option<&str>) -> Event {
    let event = Event::message(data);
    match event_type {
        Some(event_type) => event.event(event_type),
        None => event,
    }
}
