//! Keep-alives: what a body sends while its source has nothing to send.

use std::{
    future::Future,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{body::State, keep_alive::Form};
use crate::wire::write_retry;

impl State {
    /// Returns a keep-alive when the stream has been silent long enough.
    pub(super) fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        // Sending bytes does not reset the timer: that would cost more than checking again when it fires.
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_pending()
        {
            return Poll::Pending;
        }
        self.set_timer(cx)
    }

    /// Sets the timer if there is none. Returns a keep-alive if the timer fired and nothing was sent meanwhile.
    #[cold]
    fn set_timer(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(interval) = self.keep_alive else { return Poll::Pending };
        let last_byte = self.began_at + Duration::from_nanos(self.last_byte);
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
                    return Poll::Ready(self.sign_of_life());
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

    /// Returns a checkpoint if the reader's position has moved, else the keep-alive that the options set.
    fn sign_of_life(&mut self) -> Bytes {
        if let Some(checkpoint) = self.source.checkpoint() {
            return self.count(checkpoint.into_bytes(), 1);
        }
        match self.alive.as_deref() {
            Some(Form::Event(frame)) => {
                let bytes = frame.bytes().clone();
                self.count(bytes, 1)
            }
            Some(Form::Comment(lines)) => {
                let mut bytes = Vec::new();
                write_retry(&mut bytes, Duration::from_millis(self.last_retry.into()));
                bytes.extend_from_slice(lines);
                self.count(bytes.into(), 0)
            }
            None => {
                let line = self.retry_line();
                self.count(line, 0)
            }
        }
    }
}
