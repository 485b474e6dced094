use std::future::Ready;

use sse_core::{
    Event, EventView, Exclusive, IntoPatterns, Pattern, Snapshot, Start, Subscribe, error::InvalidTopic,
};

use crate::{
    Context, Failure,
    context::{BOOM, MAX_READERS},
};

/// Maximum number of readers of each address, under limits.
pub(crate) const MAX_READERS_PER_ADDRESS: usize = 3;

/// What the query of a request asks for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The topics, in order.
    pub topics: Vec<String>,
    /// Where a reader without a cursor starts.
    pub start: Start,
    /// The type of the event to publish.
    pub event: Option<String>,
    /// The principal of the reader, from `as=`.
    pub principal: Option<String>,
    /// The address of the reader, from `at=`.
    pub address: String,
    /// The terms of the subscription, from `on=`.
    pub terms: Vec<Term>,
}

/// One of the terms of a subscription; the query names it in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// The reader gets only events for which [`is_of`] the principal is true.
    Filter,
    /// The reader gets the sum first, then the numbers added to it.
    State,
    /// A reader that lags gets only the latest of several events with the same first topic.
    Conflate,
    /// The subscription lasts as long as the principal's lease.
    Lease,
    /// The principal and the address have a limited number of readers.
    Limits,
    /// The topics must exist.
    Existing,
    /// The request must come from an origin that may use the mounted routes.
    Origins,
    /// The reader gets an event stream, whatever it accepts.
    Streams,
    /// The principal has one reader: `replace` or `refuse`.
    Exclusive(Exclusive),
    /// The application's code panics at the event `BOOM`.
    Panics(Code),
}

/// Application code that runs for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// `bad_filter`.
    Filter,
    /// `bad_key`, of a conflating reader.
    Key,
    /// `bad_loader`, when the loader is called, at any event.
    Loader,
    /// `bad_state`, while the state is loaded, at any event.
    State,
}

impl Query {
    /// Parses a raw query string; the suite needs percent-decoding only of `>`.
    #[must_use]
    pub fn from_query(text: Option<&str>) -> Self {
        let mut query = Self::default();
        for (name, value) in text.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "topic" => query.topics.push(value.replace("%3E", ">")),
                "event" => query.event = Some(value.to_owned()),
                "as" => query.principal = Some(value.to_owned()),
                "at" => value.clone_into(&mut query.address),
                "on" => query.terms.extend(Term::named(value)),
                "start" => {
                    query.start = match value {
                        "earliest" => Start::Earliest,
                        count => count.parse().map_or(Start::Live, Start::Latest),
                    }
                }
                _ => {}
            }
        }
        query
    }

    /// The event to publish.
    pub fn event_of(&self, data: &str) -> Event {
        let event = Event::message(data);
        match &self.event {
            Some(event_type) => event.event(event_type),
            None => event,
        }
    }
}

/// The topics of a query, which may hold wildcards: the readers of the suite choose them.
struct Patterns(Vec<String>);

impl IntoPatterns for Patterns {
    fn into_patterns(self) -> Result<Vec<Pattern>, InvalidTopic> {
        self.0.iter().map(Pattern::new).collect()
    }
}

impl Term {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "filter" => Self::Filter,
            "state" => Self::State,
            "conflate" => Self::Conflate,
            "lease" => Self::Lease,
            "limits" => Self::Limits,
            "existing" => Self::Existing,
            "origins" => Self::Origins,
            "streams" => Self::Streams,
            "replace" => Self::Exclusive(Exclusive::TakeOver),
            "refuse" => Self::Exclusive(Exclusive::Reject),
            "bad_filter" => Self::Panics(Code::Filter),
            "bad_key" => Self::Panics(Code::Key),
            "bad_loader" => Self::Panics(Code::Loader),
            "bad_state" => Self::Panics(Code::State),
            _ => return None,
        })
    }
}

impl Context {
    /// Subscribes to the requested topics on the requested terms.
    pub fn subscribe(&self, query: Query) -> Subscribe {
        let Query { topics, start, principal, address, terms, .. } = query;
        let mut subscribe = self.hub.subscribe(Patterns(topics)).start(start);
        if !terms.contains(&Term::Streams) {
            subscribe = subscribe.fallbacks();
        }
        if let Some(principal) = &principal {
            subscribe = subscribe.principal(principal);
        }
        let principal = principal.unwrap_or_default();
        for term in terms {
            subscribe = match term {
                Term::Filter => {
                    let principal = principal.clone();
                    subscribe.filter(move |event| is_of(event, &principal))
                }
                Term::State => {
                    let sum = self.sum.clone();
                    subscribe.snapshot(move |_| sum.clone().load())
                }
                Term::Conflate => subscribe.conflate_by(|event| event.topics().first().cloned()),
                Term::Lease => subscribe.lease(self.lease(&principal)),
                Term::Limits => subscribe
                    .limit(format!("principal {principal}"), MAX_READERS)
                    .limit(format!("address {address}"), MAX_READERS_PER_ADDRESS),
                Term::Existing => subscribe.existing(),
                Term::Streams => subscribe,
                Term::Origins => subscribe.origins(&self.settings.origins),
                Term::Exclusive(choice) => subscribe.exclusive(&principal, choice),
                Term::Panics(Code::Filter) => subscribe.filter(is_harmless),
                Term::Panics(Code::Key) => {
                    subscribe.conflate_by(|event| is_harmless(event).then(|| event.data().into_owned()))
                }
                Term::Panics(Code::Loader) => {
                    subscribe.snapshot(|_| -> Ready<Result<Snapshot, Failure>> { panic!("{Failure}") })
                }
                Term::Panics(Code::State) => subscribe.snapshot(async |_| -> Result<Snapshot, Failure> {
                    tokio::task::yield_now().await;
                    panic!("{Failure}")
                }),
            };
        }
        subscribe
    }
}

/// Always true; the event `BOOM` panics.
fn is_harmless(event: &EventView<'_>) -> bool {
    assert_ne!(event.data(), BOOM, "{Failure}");
    true
}

/// Whether an event was published under the principal's own topic, or one below it.
#[must_use]
pub fn is_of(event: &EventView<'_>, principal: &str) -> bool {
    event.topics().iter().any(|topic| topic.as_str().split('.').next() == Some(principal))
}
