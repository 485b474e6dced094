use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::Sleep;
use tracing::Span;

use super::StreamSummary;
use crate::{Shutdown, hub::EndReason, panic::Panic};

/// The share of the drain window over which the ends of streams are spread.
const DRAINED_OVER: f64 = 0.5;

pub(super) type Until = Pin<Box<dyn Future<Output = ()> + Send>>;
pub(super) type OnEnd = Box<dyn FnOnce(StreamSummary) + Send>;

/// The ways in which a stream can end, and how it is about to end; some streams have none of them.
#[derive(Default)]
pub(super) struct EndConditions {
    /// The reason for which the source has ended, while bytes from before the end are still to be sent.
    pub(super) of_source: Option<EndReason>,
    pub(super) until: Vec<Until>,
    pub(super) max_age: Option<Pin<Box<Sleep>>>,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) drained: Option<Until>,
    pub(super) on_end: Option<OnEnd>,
    /// The stream's span, if a `tracing` subscriber wants it.
    pub(super) span: Option<Span>,
}

impl EndConditions {
    pub(super) fn has_any(&self) -> bool {
        let Self { of_source, until, max_age, shutdown, drained, on_end, span } = self;
        let is_timed = max_age.is_some() || drained.is_some();
        let is_heard = on_end.is_some() || span.is_some();
        is_timed || of_source.is_some() || !until.is_empty() || shutdown.is_some() || is_heard
    }

    /// Checks the conditions that end the stream from outside, before another byte is written.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        for until in &mut self.until {
            match Panic::catch(|| until.as_mut().poll(cx)) {
                Ok(Poll::Ready(())) => return Poll::Ready(EndReason::Until),
                Ok(Poll::Pending) => {}
                Err(panic) => return Poll::Ready(EndReason::Error(Arc::new(panic))),
            }
        }
        if self.max_age.as_mut().is_some_and(|max_age| max_age.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(EndReason::MaxAge);
        }
        if let Some(shutdown) = &mut self.shutdown {
            if Pin::new(&mut *shutdown).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.drained = Some(Box::pin(shutdown.share_of_window(DRAINED_OVER * fastrand::f64())));
            self.shutdown = None;
        }
        match &mut self.drained {
            Some(drained) => drained.as_mut().poll(cx).map(|()| EndReason::Shutdown),
            None => Poll::Pending,
        }
    }
}
