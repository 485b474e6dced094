//! One plain consumer of the stream, which is thrown away whenever anything is out of order.

use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::HistoryError,
    Inner,
    answer::{Failure, Refusal},
    link::Ask,
};

/// How many records one pull asks for; the next pull goes out when half of them are here.
const PULL: usize = 512;

/// How many bytes one pull asks for at least.
const PULL_BYTES: usize = 4 << 20;

/// How long a pull waits for records.
const EXPIRES: Duration = Duration::from_secs(30);

/// How long the server keeps a consumer that nobody pulls from.
const ABANDONED: Duration = Duration::from_secs(60);

/// Why following broke off.
pub(super) enum Break {
    /// Nobody takes the changes any more.
    Dropped,
    /// The consumer is gone or out of order: make another.
    Again,
    Failed(HistoryError),
}

impl From<HistoryError> for Break {
    fn from(error: HistoryError) -> Self {
        Self::Failed(error)
    }
}

impl From<Failure> for Break {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into_unavailable())
    }
}

/// A consumer that nobody else uses and that the server forgets by itself.
pub(super) struct Consumer {
    name: String,
    inbox: String,
    pub(super) messages: Subscriber,
    /// How many records were asked for and are not here yet.
    wanted: usize,
    /// How many records it has given.
    delivered: u64,
}

/// What the reply subject of a record says.
pub(super) struct Delivered {
    pub(super) seq: u64,
    pub(super) consumer_seq: u64,
    pub(super) nanos: u64,
}

impl Consumer {
    pub(super) async fn create(inner: &Inner, first: u64) -> Result<Self, Break> {
        #[derive(Deserialize)]
        struct Created {
            name: String,
        }
        let inbox = inner.link.new_inbox();
        let messages = inner.link.subscribe(&inbox).await?;
        let request = json!({
            "stream_name": inner.name,
            "config": {
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": first,
                "ack_policy": "none",
                "replay_policy": "instant",
                "inactive_threshold": nanos(ABANDONED),
                "num_replicas": 1,
                "mem_storage": true,
            },
        });
        let created =
            inner.link.call::<Created>(&format!("CONSUMER.CREATE.{}", inner.name), &request).await?;
        let Created { name } = created.map_err(Refusal::into_error)?;
        Ok(Self { name, inbox, messages, wanted: 0, delivered: 0 })
    }

    /// Asks for more if less than half of a pull is on its way.
    pub(super) async fn pull(&mut self, inner: &Inner) -> Result<(), Break> {
        if self.wanted > PULL / 2 {
            return Ok(());
        }
        // A record that does not fit would never come.
        let max_bytes = PULL_BYTES.max(2 * inner.link.max_payload());
        let request = json!({ "batch": PULL, "expires": nanos(EXPIRES), "max_bytes": max_bytes });
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", inner.name, self.name);
        let ask = Ask { subject, headers: HeaderMap::new(), payload: request.to_string().into() };
        inner.link.tell(ask, Some(&self.inbox)).await?;
        self.wanted += PULL;
        Ok(())
    }

    /// The record in a message, if it is not a word about a pull.
    pub(super) fn take(&mut self, message: Message) -> Result<Option<(Delivered, Message)>, Break> {
        match message.status {
            None | Some(StatusCode::OK) => {}
            Some(StatusCode::IDLE_HEARTBEAT) => return Ok(None),
            // A pull that has ended says how much of it did not come.
            Some(StatusCode::TIMEOUT | StatusCode::REQUEST_TERMINATED) => {
                let headers = message.headers.as_ref();
                let pending = headers.and_then(|headers| headers.get("Nats-Pending-Messages"));
                let pending = pending.and_then(|pending| pending.as_str().parse::<usize>().ok());
                let pending = pending.ok_or(Break::Again)?;
                self.wanted = self.wanted.saturating_sub(pending);
                return Ok(None);
            }
            Some(_) => return Err(Break::Again),
        }
        let delivered = message.reply.as_deref().and_then(Delivered::parse).ok_or(Break::Again)?;
        self.wanted = self.wanted.saturating_sub(1);
        self.delivered += 1;
        if delivered.consumer_seq != self.delivered {
            return Err(Break::Again);
        }
        Ok(Some((delivered, message)))
    }

    pub(super) async fn delete(&self, inner: &Inner) {
        let ask = Ask::api(&format!("CONSUMER.DELETE.{}.{}", inner.name, self.name), &json!({}));
        if inner.link.tell(ask, None).await.is_err() {
            tracing::debug!("the consumer was not deleted; the server forgets it by itself");
        }
    }
}

impl Delivered {
    /// Reads `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<times>.<seq>.<consumer seq>.<nanos>.<pending>…`.
    pub(super) fn parse(reply: &str) -> Option<Self> {
        let parts: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let at = if parts.len() > 7 { 5 } else { 3 };
        let number = |at: usize| parts.get(at)?.parse::<u64>().ok();
        Some(Self { seq: number(at)?, consumer_seq: number(at + 1)?, nanos: number(at + 2)? })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
