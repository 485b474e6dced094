use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

use super::options::Until;
use crate::{hub::EndReason, panic::Panic, response::source::Source, shutdown::Shutdown};

/// The share of the drain window over which the ends of streams are spread.
const DRAIN_SHARE: f64 = 0.5;

/// The ways in which a stream can end from outside its source; most streams have one or none.
#[derive(Default)]
pub(in crate::response) struct EndConditions {
    until: Vec<Until>,
    max_age: Option<Pin<Box<Sleep>>>,
    shutdown: Option<Shutdown>,
    /// The delay of this stream within the drain window, once the shutdown has begun.
    drain_delay: Option<Until>,
    /// The reason for which the source has ended, while bytes from before the end are still to be sent.
    source_end: Option<EndReason>,
}

impl EndConditions {
    pub(in crate::response) fn new(source: &Source, until: Vec<Until>, max_age: Option<Duration>) -> Self {
        let shutdown = source.shutdown().cloned();
        let max_age = max_age.map(|max_age| {
            let age = max_age.mul_f64(1.0 - 0.2 * fastrand::f64());
            Box::pin(tokio::time::sleep(age))
        });
        Self { until, max_age, shutdown, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.until.is_empty() && self.max_age.is_none() && self.shutdown.is_none()
    }

    /// Sets the reason for which the source has ended; what it gave last is still sent.
    pub(super) fn set_source_end(&mut self, end: EndReason) {
        self.source_end = Some(end);
    }

    pub(super) fn take_source_end(&mut self) -> Option<EndReason> {
        self.source_end.take()
    }

    /// Checks the conditions, before another byte is written.
    pub(in crate::response) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
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
            self.drain_delay = Some(Box::pin(shutdown.share_of_window(DRAIN_SHARE * fastrand::f64())));
            self.shutdown = None;
        }
        match &mut self.drain_delay {
            Some(delay) => delay.as_mut().poll(cx).map(|()| EndReason::Shutdown),
            None => Poll::Pending,
        }
    }
}
