//! Long polling: one response with the available events, or with the next ones.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::time::Sleep;

use super::{
    KeepAlive,
    body::State,
    json_lines::{Events, JsonLine, push_event},
    source::{Source, SourceChunk},
};
use crate::{
    hub::{EndReason, MOST, Subscription, json_string},
    resume::Resume,
};

/// One response: `{"events":[…],"cursor":"…"}`, with `"retry":N` if the client must wait before its next
/// request.
pub(super) struct Page {
    events: Events,
    json: String,
    count: u64,
    bytes: usize,
    /// False for a new reader: it gets a response at once, so that it has a cursor before it misses anything.
    waits: bool,
    deadline: Pin<Box<Sleep>>,
}

impl Page {
    /// Creates a page for this reader. It is sent at the latest when a stream would send a keep-alive.
    pub(super) fn new(subscription: &Subscription, keep_alive: Option<&KeepAlive>) -> Self {
        let hold = keep_alive.map_or_else(|| KeepAlive::default().pause(), KeepAlive::pause);
        Self {
            events: Events::new(),
            json: String::new(),
            count: 0,
            bytes: 0,
            waits: *subscription.resume() != Resume::Fresh,
            deadline: Box::pin(tokio::time::sleep(hold)),
        }
    }

    /// Returns the whole page when it is complete.
    pub(super) fn poll(&mut self, state: &mut State, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            if let Poll::Ready(end) = state.poll_endings(cx) {
                return Poll::Ready(self.finish(state, end));
            }
            match state.source.poll_take(None, state.last_retry, cx) {
                Poll::Ready(Ok((taken, end))) => {
                    self.take(&taken);
                    if let Some(end) = end {
                        return Poll::Ready(self.finish(state, end));
                    }
                    if self.bytes >= MOST && place(&mut state.source).is_some() {
                        return Poll::Ready(self.finish(state, EndReason::Answered));
                    }
                }
                Poll::Ready(Err(end)) => return Poll::Ready(self.finish(state, end)),
                Poll::Pending => {
                    let has_all = (self.count > 0 || !self.waits) && place(&mut state.source).is_some();
                    if has_all || self.deadline.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(self.finish(state, EndReason::Answered));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn take(&mut self, taken: &SourceChunk) {
        let Self { events, json, count, bytes, .. } = self;
        *bytes += taken.bytes.len();
        events.each(&taken.bytes, |said| {
            // The page's own cursor takes the place of checkpoints.
            if let JsonLine::Event(message) = said
                && message.event_type() != "sse.checkpoint"
            {
                if *count > 0 {
                    json.push(',');
                }
                push_event(json, message);
                *count += 1;
            }
        });
    }

    fn finish(&mut self, state: &mut State, end: EndReason) -> Bytes {
        let mut place = place(&mut state.source);
        if matches!(end, EndReason::Expired) && self.count > 0 {
            // Nothing is sent after the lease ends: the client keeps its cursor, and gets the events when it
            // has access again.
            (self.json, self.count, place) = (String::new(), 0, None);
        }
        let cursor = place.map_or_else(|| "null".to_owned(), |cursor| json_string(&cursor));
        let retry = match &end {
            EndReason::Answered | EndReason::Finished => String::new(),
            end => format!(",\"retry\":{}", state.last_retry(end).unwrap_or(state.last_retry)),
        };
        let page = format!("{{\"events\":[{}],\"cursor\":{cursor}{retry}}}\n", self.json);
        state.finish(page.into(), self.count, end)
    }
}

/// Returns the cursor from which the reader continues.
fn place(source: &mut Source) -> Option<String> {
    match source {
        Source::Subscription(subscription) => subscription.place().map(|cursor| cursor.to_string()),
        _ => None,
    }
}
