use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Encoding, Meter, Options,
    end_conditions::EndConditions,
    heartbeat::{Heartbeat, keep_alive},
    meter::log_error,
    retry::Retry,
};
use crate::{
    hub::EndReason,
    response::{
        KeepAlive,
        keep_alive::{Form, Interval},
        source::{Source, SourceChunk},
    },
};

/// A stream of events.
///
/// Kept small: each reader has one, and most readers wait.
pub(in crate::response) struct StreamBody {
    /// Dropped first, so that the end is reported before the reader leaves its hub.
    meter: Meter,
    source: Source,
    retry: Retry,
    /// The interval of keep-alives; `None` sends none.
    interval: Option<Interval>,
    heartbeat: Heartbeat,
    extras: Option<Box<Extras>>,
}

/// What most streams do not have.
#[derive(Default)]
struct Extras {
    ends: Option<Box<EndConditions>>,
    /// `None` sends the events as they are.
    encoding: Option<Box<dyn Encoding>>,
    /// The form of keep-alives; `None` is the `retry` line.
    form: Option<Box<Form>>,
}

impl StreamBody {
    pub(in crate::response) fn new(
        source: Source,
        options: Options,
        encoding: Option<Box<dyn Encoding>>,
    ) -> Self {
        let Options { keep_alive, until, max_age, retry, on_end, .. } = options;
        let (interval, form) = keep_alive.map(KeepAlive::into_parts).unzip();
        let ends = EndConditions::new(&source, until, max_age);
        let ends = (!ends.is_empty()).then(|| Box::new(ends));
        let extras = Extras { ends, encoding, form: form.flatten() };
        let has_any = extras.ends.is_some() || extras.encoding.is_some() || extras.form.is_some();
        Self {
            meter: Meter::new(&source, on_end),
            retry: Retry::new(retry),
            interval,
            heartbeat: Heartbeat::default(),
            extras: has_any.then(|| Box::new(extras)),
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
        let mut source_end = None;
        if let Some(extras) = &mut self.extras {
            if let Some(ends) = &mut extras.ends
                && let Poll::Ready(end) = ends.poll(cx)
            {
                return Poll::Ready(self.finish(end));
            }
            if let Some(encoding) = &mut extras.encoding {
                encoding.before_poll(&mut self.source);
            }
            source_end = extras.ends.as_mut().and_then(|ends| ends.take_source_end());
        }
        match self.source.poll_chunk(source_end, self.retry.last(), cx) {
            Poll::Ready(Ok((chunk, end))) => {
                if let Some(end) = end {
                    self.extras.get_or_insert_default().ends.get_or_insert_default().set_source_end(end);
                }
                Poll::Ready(Some(self.chunk(chunk)))
            }
            Poll::Ready(Err(end)) => Poll::Ready(self.finish(end)),
            Poll::Pending => {
                let last_byte = self.meter.last_byte();
                self.heartbeat.poll(self.interval, last_byte, cx).map(|()| Some(self.keep_alive()))
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
            None => {
                let form = self.extras.as_ref().and_then(|extras| extras.form.as_deref());
                keep_alive(form, &self.retry)
            }
        };
        self.send(Instant::now(), bytes, events)
    }

    /// Encodes and counts bytes.
    fn send(&mut self, at: Instant, plain: Bytes, events: u64) -> Bytes {
        let bytes = match self.extras.as_mut().and_then(|extras| extras.encoding.as_mut()) {
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
        let bytes = match self.extras.as_mut().and_then(|extras| extras.encoding.as_mut()) {
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
