use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::hub::Subscription;
use crate::{Shutdown, wire::Frame};

/// A subscription as a `Stream`.
pub(in crate::hub) struct Frames {
    subscription: Subscription,
    shutdown: Option<Shutdown>,
}

impl Frames {
    pub(in crate::hub) fn new(subscription: Subscription) -> Self {
        Self { subscription, shutdown: None }
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
