use std::{collections::BTreeSet, error, fmt, future::Future, pin::Pin, sync::Arc};

use super::{
    place::of_refused,
    start::{HistoryCheck, before_newest, open, resolve_cursor},
    subscription::short,
};
use crate::hub::{
    EndReason, Hub, Lease, Subscription,
    feeds::chunk::CHUNK_BYTES,
    feeds::feed::Feed,
    options::extras::{ReaderExtras, SubscribeOptions},
    readers::reader::Reader,
    readers::registry::Admission,
    replay_limits::ReplayLimits,
    window::attach::View,
};
use crate::{
    history::{DynHistory, HistoryBounds, HistoryError, IntoPatterns, InvalidTopic, Pattern, Topic},
    metrics,
    resume::{Decision, ForbiddenOrigin, LastEventId, Requested},
};

/// Where a reader without a cursor begins. Its response starts with that cursor, as an `sse.checkpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// With events published from now on.
    #[default]
    Live,
    /// With all stored events.
    Earliest,
    /// With the newest stored events, at most this number, counted over all requested topics together.
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
    pub(in crate::hub) existing: bool,
    pub(in crate::hub) terms: SubscribeOptions,
}

impl Subscribe {
    pub(crate) fn new(hub: Hub, topics: impl IntoPatterns) -> Self {
        let patterns = topics.into_patterns();
        Self {
            hub,
            patterns,
            last: LastEventId::default(),
            start: Start::Live,
            also: Vec::new(),
            existing: false,
            terms: SubscribeOptions::default(),
        }
    }

    /// Resumes after this cursor: a [`LastEventId`], a [`Cursor`](crate::Cursor) or text, or `None` for a new
    /// reader.
    ///
    /// If the argument is the [`LastEventId`] of a [probe](LastEventId::is_probe), such as HEAD, the
    /// subscription reads nothing and has no effects. So pass the request's own one wherever a framework may
    /// route HEAD to the handler.
    pub fn after(self, last: impl Into<LastEventId>) -> Self {
        Self { last: last.into(), ..self }
    }

    /// Sets where to begin if there is no cursor, or none that can be resumed from. Default: [`Start::Live`].
    pub fn start(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// Adds topics with their earlier state. A cursor applies to all topics that are requested now, so the
    /// events of a newly added topic from before the cursor are sent first, without ids.
    ///
    /// Only events that the window holds are sent; with [`Start::Live`], none are.
    pub fn backfill(mut self, topics: impl IntoPatterns, start: Start) -> Self {
        self.also.push((topics.into_patterns(), start));
        self
    }

    async fn run(self) -> Result<Subscription, SubscribeError> {
        self.check_names()?;
        let negotiated = self.last.negotiated().ok_or(SubscribeError::NotAcceptable)?;
        let cors = self.terms.origins.as_ref().map(|policy| policy.check(&self.last)).transpose()?;
        let is_probe = self.last.is_probe();
        let mut subscription = self.begin().await?;
        subscription.negotiated = negotiated;
        if is_probe {
            subscription.end_probe();
        } else {
            metrics::subscribed(subscription.began());
        }
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
        let patterns = checked(patterns, self.hub.max_topics())?;
        let requested = self.last.requested();
        // Clients other than an `EventSource` are refused by a status. A reader that gets a state has no cursor
        // before it.
        let wants_cursor =
            requested == Requested::Nothing && self.terms.snapshot.is_none() && self.last.is_event_source();
        let refuse = |hub: Hub, patterns: &[Pattern], end| {
            let at = if wants_cursor { of_refused(&hub, patterns, self.start) } else { None };
            Subscription::refused(hub, end, at)
        };
        if self.hub.shutdown().is_some_and(|shutdown| shutdown.has_begun()) {
            return Ok(refuse(self.hub, &patterns, EndReason::Shutdown));
        }
        if self.terms.lease.as_ref().is_some_and(Lease::is_over) {
            // The reader's permission is over, so it gets no cursor.
            return Ok(Subscription::refused(self.hub, EndReason::Expired, None));
        }
        if self.existing {
            match self.hub.unknown_topic(&patterns).await {
                Ok(None) => {}
                Ok(Some(topic)) => return Err(SubscribeError::UnknownTopic(topic)),
                Err(error) => {
                    tracing::warn!(%error, "the history does not answer; the reader reconnects later");
                    return Ok(Subscription::refused(self.hub, EndReason::Unavailable, None));
                }
            }
        }
        let is_probe = self.last.is_probe();
        let reader = Arc::new(Reader::new(self.hub.clock()));
        if let Some(end) = enter(&self.hub, &reader, std::mem::take(&mut self.terms.seat), is_probe) {
            return Ok(refuse(self.hub, &patterns, end));
        }
        let window = self.hub.window();
        let attached = if is_probe {
            window.peek(patterns, reader)
        } else {
            window.attach_in_steps(patterns, reader).await
        };
        // Created at once, so that the reader is removed again if the history never answers and this future is
        // dropped.
        let mut subscription = Subscription::new(self.hub.clone(), &attached, ReaderExtras::of(self.terms));
        let (feed, mut view) = (attached.feed, attached.view);
        let mut tries = 0..MAX_TRIES;
        let is_open = loop {
            if tries.next().is_none() {
                break false;
            }
            let told = match self.hub.history().cloned() {
                None => None,
                Some(history) => {
                    match query_history(&history, &self.hub, &feed, &mut view, &requested, self.start).await {
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
                let is_open = if is_probe {
                    subscription.describe(opening, &requested)
                } else {
                    subscription.open(opening, &view, &requested)
                };
                if is_open && is_probe {
                    break true;
                }
                if is_open {
                    replayed_from.into_iter().for_each(metrics::replayed);
                    break true;
                }
            }
            // The history was rewritten meanwhile.
            view = self.hub.window().view_in_steps(&feed).await;
        };
        if !is_open {
            // Without the history, the start of the reader is unknown.
            return Ok(Subscription::refused(self.hub, EndReason::Unavailable, None));
        }
        if is_probe {
            return Ok(subscription);
        }
        // Only now, so that a reader that cannot read ends no other; a reader that is answered 204 does not
        // read.
        if !subscription.is_no_content() {
            self.hub.registry().take_place(&subscription.reader);
        }
        for (patterns, start) in also {
            subscription.backfill(patterns, start);
        }
        Ok(subscription)
    }
}

/// Admits the reader, or returns why it is refused. A probe takes no exclusive place, and ends no reader.
fn enter(hub: &Hub, reader: &Arc<Reader>, seat: Admission, is_probe: bool) -> Option<EndReason> {
    if is_probe {
        return hub.registry().refusal(&seat);
    }
    hub.ensure_sweeper();
    hub.registry().enter(reader, seat).err()
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The number of attempts to resolve the start of a reader while the history is rewritten.
const MAX_TRIES: usize = 4;

/// Queries the history if the window alone cannot decide: rules 5, 8 and 13. The view is taken again if the
/// answer brings a new epoch.
async fn query_history(
    history: &DynHistory,
    hub: &Hub,
    feed: &Arc<Feed>,
    view: &mut View,
    requested: &Requested,
    start: Start,
) -> Result<Option<HistoryCheck>, HistoryError> {
    let unknown_finish = feed.is_exact && !view.is_known;
    let before_window = match requested {
        Requested::Cursor(cursor) => !view.proves(*cursor),
        Requested::Nothing | Requested::Malformed(_) => start != Start::Live && view.evicted > 0,
    };
    let unproved = match requested {
        Requested::Cursor(cursor) if cursor.checksum().is_some() => {
            hub.window().lock().kept_cursor(cursor.seq()) != Some(*cursor)
        }
        _ => false,
    };
    if !(unknown_finish || before_window || unproved) {
        return Ok(None);
    }
    let asked = {
        // The history searches for the matching topics of wildcards; such a request waits for its turn.
        let _permit = if feed.is_exact { None } else { hub.pace().permit().await };
        history.bounds(&feed.patterns).await
    };
    let mut span = match asked {
        Ok(span) => span,
        // Without the answer, a live reader only does not learn that its topic was finished before this process
        // began.
        Err(_) if !before_window && !unproved => return Ok(None),
        Err(error) => return Err(error),
    };
    let version = short(hub.merge_epochs(&mut span.epochs));
    if version != view.version {
        *view = hub.window().view_in_steps(feed).await;
    }
    hub.window().merge_finished(feed, &span.epochs, &span.finished);
    let holds = match requested {
        Requested::Cursor(cursor) if unproved => history.verify(*cursor).await?,
        _ => true,
    };
    let mut told = HistoryCheck { span, version, holds, latest: None };
    let begins_by_start =
        matches!(resolve_cursor(view, requested, Some(&told)), Decision::Fresh | Decision::GapByStart(_));
    if let Start::Latest(count) = start
        && view.evicted > 0
        && begins_by_start
    {
        told.latest = Some(latest_in(history, hub.pace(), &feed.patterns, &told.span, count).await?);
    }
    Ok(Some(told))
}

/// The number of records that are searched backwards for the newest of some topics.
const LATEST_SEARCH: u64 = 100_000;

/// Returns the position before the newest `count` records of these topics, searched block by block from the
/// head.
async fn latest_in(
    history: &DynHistory,
    pace: &ReplayLimits,
    patterns: &[Pattern],
    span: &HistoryBounds,
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

/// Returns the patterns, sorted and without duplicates.
pub(in crate::hub) fn checked(
    mut patterns: Vec<Pattern>,
    max: usize,
) -> Result<Box<[Pattern]>, InvalidTopic> {
    patterns.sort_unstable();
    patterns.dedup();
    match patterns.len() {
        0 => Err(InvalidTopic::Missing),
        len if len > max => Err(InvalidTopic::TooMany { limit: max }),
        _ => Ok(patterns.into_boxed_slice()),
    }
}

/// The reason why a subscription was refused: mistakes of the caller, and topics that must exist and do not. The
/// stream itself handles an unavailable history, a shutdown and any cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The request comes from an origin that is not allowed; see [`OriginPolicy`](crate::origin::OriginPolicy).
    Origin(ForbiddenOrigin),
    /// The name of a principal, a limit or an exclusive place is empty or longer than 512 bytes. Use a hash of it.
    Name,
    /// The request's `Accept` header names types, and none of them is an event stream, JSON lines or JSON.
    NotAcceptable,
    /// A topic or pattern is not valid.
    Topic(InvalidTopic),
    /// This topic is unknown, and the subscription asked for [`existing`](Subscribe::existing) topics only.
    UnknownTopic(Topic),
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
            Self::UnknownTopic(topic) => write!(
                f,
                "subscribe: nothing is known of the topic `{topic}`; check its name, or begin it before you subscribe"
            ),
        }
    }
}

impl error::Error for SubscribeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Name | Self::NotAcceptable | Self::UnknownTopic(_) => None,
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
