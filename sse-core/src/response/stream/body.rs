use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Encoding, Meter, Options, end_conditions::EndConditions, heartbeat::Heartbeat, meter::log_error,
    retry::Retry,
};
use crate::{
    hub::EndReason,
    response::source::{Source, SourceChunk},
};

/// A stream of events.
///
/// Kept small: each reader has one, and most readers wait.
pub(in crate::response) struct StreamBody {
    /// Dropped first, so that the end is reported before the reader leaves its hub.
    meter: Meter,
    source: Source,
    /// `None` sends the events as they are.
    encoding: Option<Box<dyn Encoding>>,
    retry: Retry,
    heartbeat: Heartbeat,
    ends: EndConditions,
}

impl StreamBody {
    pub(in crate::response) fn new(
        source: Source,
        options: Options,
        encoding: Option<Box<dyn Encoding>>,
    ) -> Self {
        let Options { keep_alive, until, max_age, retry, on_end, .. } = options;
        Self {
            meter: Meter::new(&source, on_end),
            encoding,
            retry: Retry::new(retry),
            heartbeat: Heartbeat::new(keep_alive),
            ends: EndConditions::new(&source, until, max_age),
            source,
        }
    }

    pub(in crate::response) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let _entered = self.meter.enter();
        if self.meter.is_over() {
            return Poll::Ready(None);
        }
        if self.meter.begin() {
            // Sent before anything else, so that no proxy waits for the first byte.
            return Poll::Ready(Some(self.first_bytes()));
        }
        if let Poll::Ready(end) = self.ends.poll(cx) {
            return Poll::Ready(self.finish(end));
        }
        if let Some(encoding) = &mut self.encoding {
            encoding.before_poll(&mut self.source);
        }
        let source_end = self.ends.take_source_end();
        match self.source.poll_chunk(source_end, self.retry.last(), cx) {
            Poll::Ready(Ok((chunk, end))) => {
                if let Some(end) = end {
                    self.ends.set_source_end(end);
                }
                Poll::Ready(Some(self.chunk(chunk)))
            }
            Poll::Ready(Err(end)) => Poll::Ready(self.finish(end)),
            Poll::Pending => {
                self.heartbeat.poll(self.meter.last_byte(), cx).map(|()| Some(self.keep_alive()))
            }
        }
    }

    /// Returns the reconnect delay, and the cursor with which to reconnect.
    fn first_bytes(&mut self) -> Bytes {
        let event = self.source.first_event();
        let mut bytes = Vec::with_capacity(event.as_ref().map_or(0, |event| event.bytes().len()) + 16);
        self.retry.write(&mut bytes);
        if let Some(event) = &event {
            bytes.extend_from_slice(event.as_ref());
        }
        self.send(Instant::now(), bytes.into(), event.is_some().into())
    }

    fn chunk(&mut self, chunk: SourceChunk) -> Bytes {
        let SourceChunk { bytes, events, retry, at } = chunk;
        if let Some(retry) = retry {
            self.retry.set(retry);
        }
        self.send(at.unwrap_or_else(Instant::now), bytes, events)
    }

    /// Returns a checkpoint if the reader's position has moved, else a keep-alive.
    fn keep_alive(&mut self) -> Bytes {
        let (bytes, events) = match self.source.checkpoint() {
            Some(checkpoint) => (checkpoint.into_bytes(), 1),
            None => self.heartbeat.bytes(&self.retry),
        };
        self.send(Instant::now(), bytes, events)
    }

    /// Encodes and counts bytes.
    fn send(&mut self, at: Instant, plain: Bytes, events: u64) -> Bytes {
        let bytes = match &mut self.encoding {
            Some(encoding) => encoding.encode(&mut self.source, plain),
            None => plain,
        };
        self.meter.sent_at(at, events, bytes.len());
        bytes
    }

    /// Ends the stream. A final `retry` sets the reconnect delay, if the reader is expected to reconnect.
    fn finish(&mut self, end: EndReason) -> Option<Bytes> {
        log_error(&end);
        let line = self.retry.at_end(&end, self.source.resumes()).map(|delay| {
            self.retry.set_final(delay);
            self.retry.line()
        });
        let bytes = match &mut self.encoding {
            Some(encoding) => encoding.finish(line),
            None => line,
        };
        if let Some(bytes) = &bytes {
            self.meter.sent(0, bytes.len());
        }
        self.meter.end(end);
        bytes
    }
}
