use std::{future::Future, pin::Pin, sync::Arc};

use super::{query::query_history, subscribe_error::SubscribeError};
#[cfg(doc)]
use crate::hub::Hub;
use crate::hub::options::patterns::checked;
use crate::hub::subscription::{
    cursor::of_refused, extras::ReaderExtras, start::open, subscription::Subscription,
};
use crate::hub::{
    end::EndReason, options::admission::Admission, options::lease::Lease, options::start::Start,
    options::subscribe_options::SubscribeOptions, readers::reader::Reader, shared::Shared,
};
use crate::{
    history::{IntoPatterns, InvalidTopic, Pattern},
    metrics,
    request::{LastEventId, SseRequest},
    resume::Requested,
};

/// A subscription that has not been awaited yet; see [`Hub::subscribe`].
#[must_use = "nothing is subscribed until it is awaited"]
pub struct Subscribe {
    hub: Arc<Shared>,
    patterns: Result<Vec<Pattern>, InvalidTopic>,
    pub(in crate::hub) request: SseRequest,
    /// The position, if it is not the request's own.
    after: Option<LastEventId>,
    pub(in crate::hub) has_fallbacks: bool,
    start: Start,
    also: Vec<(Result<Vec<Pattern>, InvalidTopic>, Start)>,
    pub(in crate::hub) existing: bool,
    pub(in crate::hub) options: SubscribeOptions,
}

impl Subscribe {
    pub(crate) fn new(hub: Arc<Shared>, topics: impl IntoPatterns) -> Self {
        let patterns = topics.into_patterns();
        Self {
            hub,
            patterns,
            request: SseRequest::default(),
            after: None,
            has_fallbacks: false,
            start: Start::Live,
            also: Vec::new(),
            existing: false,
            options: SubscribeOptions::default(),
        }
    }

    /// Resumes after this position: a [`Cursor`](crate::Cursor), an id or its text, or `None` for a new reader.
    ///
    /// It replaces the position of the [`request`](Subscribe::request), if there is one.
    pub fn after(self, last: impl Into<LastEventId>) -> Self {
        Self { after: Some(last.into()), ..self }
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
        if !self.options.admission.has_valid_names() {
            return Err(SubscribeError::Name);
        }
        let negotiated = self.request.negotiated(self.has_fallbacks).ok_or(SubscribeError::NotAcceptable)?;
        let cors = self.options.origins.as_ref().map(|policy| policy.check(&self.request)).transpose()?;
        let is_probe = self.request.is_probe();
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
        let requested = self.after.as_ref().unwrap_or(self.request.last_event_id()).requested();
        // Clients other than an `EventSource` are refused by a status. A reader that gets a state has no cursor
        // before it.
        let wants_cursor = requested == Requested::Nothing
            && self.options.snapshot.is_none()
            && self.request.is_event_source();
        let refuse = |hub: Arc<Shared>, patterns: &[Pattern], end| {
            let at = if wants_cursor { of_refused(&hub, patterns, self.start) } else { None };
            Subscription::refused(hub, end, at)
        };
        if self.hub.shutdown().is_some_and(|shutdown| shutdown.has_begun()) {
            return Ok(refuse(self.hub, &patterns, EndReason::Shutdown));
        }
        if self.options.lease.as_ref().is_some_and(Lease::is_over) {
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
        let is_probe = self.request.is_probe();
        let reader = Arc::new(Reader::new(self.hub.clock()));
        if let Some(end) = enter(&self.hub, &reader, std::mem::take(&mut self.options.admission), is_probe) {
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
        let mut subscription =
            Subscription::new(Arc::clone(&self.hub), &attached, ReaderExtras::of(self.options));
        let (feed, mut view) = (attached.feed, attached.view);
        let mut tries = 0..MAX_TRIES;
        let is_open = loop {
            if tries.next().is_none() {
                break false;
            }
            let check = match self.hub.history().cloned() {
                None => None,
                Some(history) => {
                    match query_history(&history, &self.hub, &feed, &mut view, &requested, self.start).await {
                        Ok(check) => check,
                        Err(error) => {
                            tracing::warn!(%error, "the history does not answer; the reader is asked to come back");
                            break false;
                        }
                    }
                }
            };
            if let Some(opening) = open(&feed, &view, &requested, self.start, check.as_ref()) {
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
fn enter(hub: &Arc<Shared>, reader: &Arc<Reader>, admission: Admission, is_probe: bool) -> Option<EndReason> {
    if is_probe {
        return hub.registry().refusal(&admission);
    }
    hub.ensure_sweeper();
    hub.registry().enter(reader, admission).err()
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
