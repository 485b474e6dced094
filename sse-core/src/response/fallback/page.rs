//! Long polling: one response with the available events, or with the next ones.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::time::Sleep;

use super::json_lines::{Events, JsonLine, push_event};
use crate::{
    hub::{EndReason, MOST, Subscription, json_string},
    response::{
        source::{Source, SourceChunk},
        stream::{EndConditions, Meter, Options, Retry, log_error},
    },
    resume::Resume,
};

/// One response: `{"events":[…],"cursor":"…"}`, with `"retry":N` if the client must wait before its next
/// request.
pub(in crate::response) struct PageBody {
    /// Dropped first, so that the end is reported before the reader leaves its hub.
    meter: Meter,
    source: Source,
    retry: Retry,
    ends: EndConditions,
    events: Events,
    json: String,
    count: u64,
    bytes: usize,
    /// False for a new reader: it gets a response at once, so that it has a cursor before it misses anything.
    waits: bool,
    deadline: Pin<Box<Sleep>>,
}

impl PageBody {
    /// Creates a page for this reader. It is sent at the latest when a stream would send a keep-alive.
    pub(in crate::response) fn new(source: Source, options: Options) -> Self {
        let Options { keep_alive, until, max_age, retry, on_end, .. } = options;
        let is_new = source.subscription().is_some_and(|reader| *reader.resume() == Resume::Fresh);
        Self {
            meter: Meter::new(&source, on_end),
            retry: Retry::new(retry),
            ends: EndConditions::new(&source, until, max_age),
            source,
            events: Events::new(),
            json: String::new(),
            count: 0,
            bytes: 0,
            waits: !is_new,
            deadline: Box::pin(tokio::time::sleep(keep_alive.unwrap_or_default().pause())),
        }
    }

    /// Returns the whole page when it is complete.
    pub(in crate::response) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let _entered = self.meter.enter();
        if self.meter.is_over() {
            return Poll::Ready(None);
        }
        self.meter.begin();
        self.poll_end(cx).map(|end| Some(self.finish(end)))
    }

    /// Collects events until the page is complete.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        loop {
            if let Poll::Ready(end) = self.ends.poll(cx) {
                return Poll::Ready(end);
            }
            match self.source.poll_chunk(None, self.retry.last(), cx) {
                Poll::Ready(Ok((chunk, end))) => {
                    self.push(&chunk);
                    if let Some(end) = end {
                        return Poll::Ready(end);
                    }
                    if self.bytes >= MOST && self.cursor().is_some() {
                        return Poll::Ready(EndReason::Answered);
                    }
                }
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => {
                    let has_all = (self.count > 0 || !self.waits) && self.cursor().is_some();
                    if has_all || self.deadline.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(EndReason::Answered);
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn push(&mut self, chunk: &SourceChunk) {
        let Self { events, json, count, bytes, .. } = self;
        *bytes += chunk.bytes.len();
        events.each(&chunk.bytes, |line| {
            // The page's own cursor takes the place of checkpoints.
            if let JsonLine::Event(message) = line
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

    /// Returns the cursor from which the reader continues.
    fn cursor(&mut self) -> Option<String> {
        self.source.subscription_mut().and_then(Subscription::place).map(|cursor| cursor.to_string())
    }

    fn finish(&mut self, end: EndReason) -> Bytes {
        log_error(&end);
        let mut cursor = self.cursor();
        if matches!(end, EndReason::Expired) && self.count > 0 {
            // Nothing is sent after the lease ends: the client keeps its cursor, and gets the events when it
            // has access again.
            (self.json, self.count, cursor) = (String::new(), 0, None);
        }
        let cursor = cursor.map_or_else(|| "null".to_owned(), |cursor| json_string(&cursor));
        let retry = match &end {
            EndReason::Answered | EndReason::Finished => String::new(),
            end => {
                let delay = self.retry.at_end(end, self.source.resumes()).unwrap_or(self.retry.last());
                format!(",\"retry\":{delay}")
            }
        };
        let page = Bytes::from(format!("{{\"events\":[{}],\"cursor\":{cursor}{retry}}}\n", self.json));
        self.meter.sent(self.count, page.len());
        self.meter.end(end);
        page
    }
}
