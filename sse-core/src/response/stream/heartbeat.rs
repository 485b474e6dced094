//! Keep-alives: what a body sends while its source has nothing to send.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::retry::Retry;
use crate::response::keep_alive::{Form, Interval};

/// The timer of one stream's keep-alives. The interval stands beside it, where it takes less space.
#[derive(Default)]
pub(super) struct Heartbeat {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Heartbeat {
    /// Completes when the stream has been silent for the interval since its last byte; never without an interval.
    pub(super) fn poll(
        &mut self,
        interval: Option<Interval>,
        last_byte: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        // Sending bytes does not reset the timer: that would cost more than checking again when it fires.
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_pending()
        {
            return Poll::Pending;
        }
        self.set_timer(interval, last_byte, cx)
    }

    /// Sets the timer if there is none. Completes if the timer fired and nothing was sent meanwhile.
    #[cold]
    fn set_timer(
        &mut self,
        interval: Option<Interval>,
        last_byte: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(interval) = interval else { return Poll::Pending };
        loop {
            let due = last_byte + interval.pause();
            match &mut self.timer {
                None => {
                    let timer = self.timer.insert(Box::pin(tokio::time::sleep_until(due)));
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Some(_) if Instant::now() >= due => {
                    self.timer = None;
                    return Poll::Ready(());
                }
                Some(timer) => {
                    timer.as_mut().reset(due);
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// Returns a keep-alive in the form that the options set, by default the `retry` line, and the number of events in it.
pub(super) fn keep_alive(form: Option<&Form>, retry: &Retry) -> (Bytes, u64) {
    match form {
        Some(Form::Event(frame)) => (frame.bytes().clone(), 1),
        Some(Form::Comment(lines)) => {
            let mut bytes = Vec::new();
            retry.write(&mut bytes);
            bytes.extend_from_slice(lines);
            (bytes.into(), 0)
        }
        None => (retry.line(), 0),
    }
}
