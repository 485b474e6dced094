//! Long polling: one answer with what there is, or with what comes next.

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

/// One answer: `{"events":[…],"cursor":"…"}`, with `"retry":N` if the client must wait before it asks again.
pub(super) struct Page {
    events: Events,
    json: String,
    count: u64,
    bytes: usize,
    /// A new reader is answered at once, so that it has a cursor before it misses anything.
    waits: bool,
    deadline: Pin<Box<Sleep>>,
}

impl Page {
    /// A page for this reader, who is answered at the latest when a stream would say that it is alive.
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

    /// The whole answer, once it is there.
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
            // The page's own cursor says what a checkpoint would.
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
            // Nothing is written after the lease is over: the client keeps its cursor, and gets the events when it may.
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

/// Where the reader goes on.
fn place(source: &mut Source) -> Option<String> {
    match source {
        Source::Subscription(subscription) => subscription.place().map(|cursor| cursor.to_string()),
        _ => None,
    }
}
