use std::{collections::BTreeSet, error, fmt, future::Future, pin::Pin, sync::Arc};

use super::{
    End, Hub, Lease, Subscription,
    attach::View,
    chunk::CHUNK_BYTES,
    feed::Feed,
    opening::{Told, before_newest, judge, open},
    pace::Pace,
    reader::Reader,
    subscription::short,
    terms::{Extras, Terms},
};
use crate::{
    history::{DynHistory, HistoryError, IntoTopics, InvalidTopic, Pattern, Span},
    metrics,
    resume::{Decision, ForbiddenOrigin, LastEventId, Requested},
};

/// Where a reader without a cursor begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// With what is published from now on.
    #[default]
    Live,
    /// With everything that is kept.
    Earliest,
    /// With the newest so many events that are kept, of all topics asked for together.
    Latest(usize),
}

/// A subscription that has not been awaited yet; see [`Hub::subscribe`].
#[must_use = "nothing is subscribed until it is awaited"]
pub struct Subscribe {
    hub: Hub,
    patterns: Result<Vec<Pattern>, InvalidTopic>,
    last: LastEventId,
    start: Start,
    also: Vec<(Result<Vec<Pattern>, InvalidTopic>, Start)>,
    pub(super) terms: Terms,
}

impl Subscribe {
    pub(crate) fn new(hub: Hub, topics: impl IntoTopics) -> Self {
        let patterns = topics.into_topics();
        Self {
            hub,
            patterns,
            last: LastEventId::default(),
            start: Start::Live,
            also: Vec::new(),
            terms: Terms::default(),
        }
    }

    /// Goes on after this cursor: a [`LastEventId`], a [`Cursor`](crate::Cursor) or text, or `None` for a new reader.
    pub fn after(self, last: impl Into<LastEventId>) -> Self {
        Self { last: last.into(), ..self }
    }

    /// Begins here if there is no cursor, or none that can be honoured. The default is [`Start::Live`].
    pub fn start(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// Adds topics with their earlier state: a cursor means "after it of whatever is asked for now", so what a
    /// newly added topic said before the cursor comes first, without ids.
    ///
    /// Only what the window holds is told; [`Start::Live`] tells nothing.
    pub fn also(mut self, topics: impl IntoTopics, start: Start) -> Self {
        self.also.push((topics.into_topics(), start));
        self
    }

    async fn run(self) -> Result<Subscription, SubscribeError> {
        self.check_names()?;
        let negotiated = self.last.negotiated().ok_or(SubscribeError::NotAcceptable)?;
        let cors = self.terms.origins.as_ref().map(|policy| policy.check(&self.last)).transpose()?;
        let mut subscription = self.begin().await?;
        subscription.negotiated = negotiated;
        if let Some(cors) = cors {
            subscription.allow(cors);
        }
        Ok(subscription)
    }

    async fn begin(mut self) -> Result<Subscription, SubscribeError> {
        let mut patterns = self.patterns?;
        let mut also = Vec::new();
        for (topics, start) in self.also {
            let topics = topics?;
            patterns.extend(topics.iter().cloned());
            also.push((topics, start));
        }
        let patterns = checked(patterns, self.hub.most_topics())?;
        if self.hub.shutdown().is_some_and(|shutdown| shutdown.has_begun()) {
            return Ok(Subscription::refused(self.hub, End::Shutdown));
        }
        if self.terms.lease.as_ref().is_some_and(Lease::is_over) {
            return Ok(Subscription::refused(self.hub, End::Expired));
        }
        self.hub.keep_swept();
        let reader = Arc::new(Reader::new(self.hub.clock()));
        if let Err(end) = self.hub.registry().enter(&reader, std::mem::take(&mut self.terms.seat)) {
            return Ok(Subscription::refused(self.hub, end));
        }
        let attached = self.hub.window().attach(patterns, reader);
        // Made at once, so that the reader is taken out again if the history never answers and this is dropped.
        let mut subscription = Subscription::new(self.hub.clone(), &attached, Extras::of(self.terms));
        let requested = self.last.requested();
        let (feed, mut view) = (attached.feed, attached.view);
        let mut tries = 0..MAX_TRIES;
        let is_open = loop {
            if tries.next().is_none() {
                break false;
            }
            let told = match self.hub.history().cloned() {
                None => None,
                Some(history) => {
                    match ask(&history, &self.hub, &feed, &mut view, &requested, self.start).await {
                        Ok(told) => told,
                        Err(error) => {
                            tracing::warn!(%error, "the history does not answer; the reader is asked to come back");
                            break false;
                        }
                    }
                }
            };
            if let Some(opening) = open(&feed, &view, &requested, self.start, told.as_ref()) {
                let replayed_from = match opening.position < view.evicted && self.hub.history().is_some() {
                    true => Some("history"),
                    false => (!opening.at_tail).then_some("window"),
                };
                if subscription.open(opening, &view, &requested) {
                    replayed_from.into_iter().for_each(metrics::replayed);
                    break true;
                }
            }
            // The history was rewritten meanwhile.
            view = self.hub.window().view(&feed);
        };
        if !is_open {
            return Ok(Subscription::refused(self.hub, End::Unavailable));
        }
        // Only now, so that a reader that cannot read ends nobody; one that is answered 204 does not read.
        if !subscription.is_no_content() {
            self.hub.registry().take_place(&subscription.reader);
        }
        for (patterns, start) in also {
            subscription.backfill(patterns, start);
        }
        Ok(subscription)
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// How often a reader's beginning is looked for while the history is rewritten.
const MAX_TRIES: usize = 4;

/// Asks the history if the window alone cannot judge: rules 5, 8 and 13. The view is taken anew if the answer brings a new
/// epoch.
async fn ask(
    history: &DynHistory,
    hub: &Hub,
    feed: &Feed,
    view: &mut View,
    requested: &Requested,
    start: Start,
) -> Result<Option<Told>, HistoryError> {
    let unknown_finish = feed.is_exact && !view.is_known;
    let before_window = match requested {
        Requested::Cursor(cursor) => !view.proves(*cursor),
        Requested::Nothing | Requested::Malformed(_) => start != Start::Live && view.evicted > 0,
    };
    let unproved = match requested {
        Requested::Cursor(cursor) if cursor.check().is_some() => {
            hub.window().lock().kept_cursor(cursor.seq()) != Some(*cursor)
        }
        _ => false,
    };
    if !(unknown_finish || before_window || unproved) {
        return Ok(None);
    }
    let span = match history.span(&feed.patterns).await {
        Ok(span) => span,
        // Without it, a live reader merely does not learn that its topic was finished before this process began.
        Err(_) if !before_window && !unproved => return Ok(None),
        Err(error) => return Err(error),
    };
    let version = short(hub.learn_epochs(&span.epochs));
    if version != view.version {
        *view = hub.window().view(feed);
    }
    hub.window().learn_finished(feed, &span.finished, version);
    let holds = match requested {
        Requested::Cursor(cursor) if unproved => history.holds(*cursor).await?,
        _ => true,
    };
    let mut told = Told { span, version, holds, latest: None };
    let begins_by_start =
        matches!(judge(view, requested, Some(&told)), Decision::Fresh | Decision::GapByStart(_));
    if let Start::Latest(count) = start
        && view.evicted > 0
        && begins_by_start
    {
        told.latest = Some(latest_in(history, hub.pace(), &feed.patterns, &told.span, count).await?);
    }
    Ok(Some(told))
}

/// How many records are searched backwards for the newest of some topics.
const LATEST_SEARCH: u64 = 100_000;

/// The position before the newest `count` records of these topics, searched block by block from the head.
async fn latest_in(
    history: &DynHistory,
    pace: &Pace,
    patterns: &[Pattern],
    span: &Span,
    count: usize,
) -> Result<u64, HistoryError> {
    const BLOCK: u64 = 1_000;
    let lowest = span.oldest.saturating_sub(1).max(span.head.saturating_sub(LATEST_SEARCH));
    let mut found = BTreeSet::new();
    let mut end = span.last.min(span.head);
    while end > lowest && found.len() < count {
        let after = end.saturating_sub(BLOCK).max(lowest);
        let mut read = after;
        while read < end {
            let limit = usize::try_from(end - read).unwrap_or(usize::MAX);
            let records = {
                let _permit = pace.permit().await;
                history.read(read, limit, CHUNK_BYTES).await?
            };
            let Some(last) = records.last() else { break };
            read = last.cursor.seq();
            for record in records {
                if record.topics.iter().any(|topic| patterns.iter().any(|pattern| pattern.matches(topic))) {
                    found.insert(record.cursor.seq());
                }
            }
        }
        end = after;
    }
    Ok(before_newest(&found, count).unwrap_or(span.head))
}

/// The patterns sorted and each once.
pub(super) fn checked(mut patterns: Vec<Pattern>, most: usize) -> Result<Box<[Pattern]>, InvalidTopic> {
    patterns.sort_unstable();
    patterns.dedup();
    match patterns.len() {
        0 => Err(InvalidTopic::Missing),
        len if len > most => Err(InvalidTopic::TooMany { limit: most }),
        _ => Ok(patterns.into_boxed_slice()),
    }
}

/// Why a subscription was refused: the caller's mistakes only. A history that is down, a shutdown and any cursor are
/// answered by the stream itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The request comes from where it must not; see [`OriginPolicy`](crate::OriginPolicy).
    Origin(ForbiddenOrigin),
    /// The name of a principal, a limit or an exclusive place is empty or longer than 512 bytes. Use a hash of it.
    Name,
    /// The request's `Accept` header names types, and none of them is an event stream, JSON lines or JSON.
    NotAcceptable,
    /// A topic or pattern is not valid.
    Topic(InvalidTopic),
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(error) => error.fmt(f),
            Self::Name => f.write_str(
                "subscribe: the name of a principal, a limit or an exclusive place has 1 to 512 bytes; use a hash of it",
            ),
            Self::NotAcceptable => f.write_str(
                "subscribe: the request does not accept `text/event-stream`; add it to `Accept`, or for clients that cannot stream `application/x-ndjson` or `application/json`",
            ),
            Self::Topic(error) => error.fmt(f),
        }
    }
}

impl error::Error for SubscribeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Name | Self::NotAcceptable => None,
            Self::Topic(error) => Some(error),
        }
    }
}

impl From<ForbiddenOrigin> for SubscribeError {
    fn from(error: ForbiddenOrigin) -> Self {
        Self::Origin(error)
    }
}

impl From<InvalidTopic> for SubscribeError {
    fn from(error: InvalidTopic) -> Self {
        Self::Topic(error)
    }
}
