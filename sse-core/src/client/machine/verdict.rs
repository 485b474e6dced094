//! What follows after a connection has ended or could not be made.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;

use super::{
    super::{ClientError, ClientEvent, Disconnect, Verdict, body::encoding::Encoding, headers},
    MAX_UNREADABLE_HEADS, Machine, State,
};

impl Machine {
    /// Handles the end of the connection: decides what follows.
    pub(super) fn disconnect(&mut self, cause: Disconnect, now: Instant) {
        let opened = match self.state {
            State::Open { since, .. } => Some(since),
            _ => None,
        };
        self.decoder.reset();
        self.chunk = Bytes::new();
        self.encoding = Encoding::default();
        if self.decoder.last_event_id() != self.cursor {
            self.target.cursor_came();
            self.cursor = self.decoder.last_event_id().to_owned();
        }
        // A server that is silent for a while has not failed.
        let is_quiet = opened.is_some() && matches!(cause, Disconnect::Idle(_) | Disconnect::Interrupted);
        self.waits.ended(opened, self.brought_events || is_quiet, now);
        let wait = self.wait_after(&cause);
        let elapsed = now.saturating_duration_since(*self.trying_since.get_or_insert(now));
        let attempts = if self.has_ever_opened { self.options.reconnection } else { self.options.first };
        let is_hopeless = self.unreadable_heads >= MAX_UNREADABLE_HEADS;
        let may_retry = ((cause.is_transient() && !is_hopeless) || self.is_worth_retrying(&cause))
            && (self.options.repeat || self.target.is_safe());
        let is_allowed = attempts.allow(self.tries, elapsed.saturating_add(wait));
        let mut verdict = if may_retry && is_allowed { Verdict::Retry } else { Verdict::Stop };
        if let Some(hook) = &mut self.options.hook {
            verdict = hook(&cause, verdict);
        }
        if verdict == Verdict::Retry && is_allowed {
            self.state = State::Waiting { until: now + wait };
            self.events.push_back(ClientEvent::Disconnected { cause, retry_in: Some(wait) });
        } else if cause.is_normal() {
            self.state = State::Closed(None);
            self.events.push_back(ClientEvent::Disconnected { cause, retry_in: None });
        } else {
            self.state = State::Closed(Some(ClientError { cause, tries: self.tries }));
        }
    }

    fn wait_after(&mut self, cause: &Disconnect) -> Duration {
        if matches!(cause, Disconnect::Interrupted) {
            return Duration::ZERO;
        }
        let retry_after = cause.refusal().and_then(|refusal| headers::retry_after(&refusal.headers));
        self.waits.draw(self.decoder.retry(), retry_after)
    }

    fn is_worth_retrying(&self, cause: &Disconnect) -> bool {
        let Disconnect::Status(refusal) = cause else { return false };
        let status = refusal.status;
        self.options.retry_unavailable
            && (status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error())
    }
}
