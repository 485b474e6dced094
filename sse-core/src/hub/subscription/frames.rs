use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::subscription::Subscription;
use crate::{Shutdown, wire::Frame};

/// A subscription as a `Stream`.
struct Frames {
    subscription: Subscription,
    shutdown: Option<Shutdown>,
}

impl Subscription {
    /// Returns the frames as a `Stream`, for combinators.
    ///
    /// As with [`next`](Subscription::next), the first bytes of a subscription's response are not among them: a
    /// new reader's first cursor, which [`cursor`](Subscription::cursor) returns.
    pub fn frames(self) -> impl Stream<Item = Frame> + Send + Sync {
        Frames { subscription: self, shutdown: None }
    }
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        if let Poll::Ready(step) = self.subscription.poll_chunk(cx, 1) {
            return Poll::Ready(step.ok().map(|chunk| Frame::shared(chunk.bytes, chunk.retry)));
        }
        if self.shutdown.is_none() {
            self.shutdown = self.subscription.hub.shutdown().cloned();
        }
        match &mut self.shutdown {
            Some(shutdown) => Pin::new(shutdown).poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    }
}
