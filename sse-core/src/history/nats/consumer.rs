//! A plain consumer of the stream, which is discarded whenever anything is out of order.

use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::HistoryError,
    answer::{Failure, Refusal},
    inner::Inner,
    link::Ask,
};

/// The number of records that one pull requests; the next pull is sent when half of them have arrived.
const PULL: usize = 512;

/// The minimum number of bytes that one pull requests.
const PULL_BYTES: usize = 4 << 20;

/// The time for which a pull waits for records.
const EXPIRES: Duration = Duration::from_secs(30);

/// The time for which the server keeps a consumer without pulls.
const ABANDONED: Duration = Duration::from_secs(60);

/// The reason why following the stream broke off.
pub(super) enum Break {
    /// The receiver of the changes was dropped.
    Dropped,
    /// The consumer was lost or is out of order: create another.
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

/// A consumer for this process only, which the server deletes by itself when it is abandoned.
pub(super) struct Consumer {
    name: String,
    inbox: String,
    pub(super) messages: Subscriber,
    /// The number of records that were requested and have not arrived yet.
    wanted: usize,
    /// The number of records that it has delivered.
    delivered: u64,
}

/// The contents of a record's reply subject.
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

    /// Requests more records if less than half of a pull is outstanding.
    pub(super) async fn pull(&mut self, inner: &Inner) -> Result<(), Break> {
        if self.wanted > PULL / 2 {
            return Ok(());
        }
        // A record that does not fit would never arrive.
        let max_bytes = PULL_BYTES.max(2 * inner.link.max_payload());
        let request = json!({ "batch": PULL, "expires": nanos(EXPIRES), "max_bytes": max_bytes });
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", inner.name, self.name);
        let ask = Ask { subject, headers: HeaderMap::new(), payload: request.to_string().into() };
        inner.link.send(ask, Some(&self.inbox)).await?;
        self.wanted += PULL;
        Ok(())
    }

    /// Returns the record in a message, if it is not a status of a pull.
    pub(super) fn take(&mut self, message: Message) -> Result<Option<(Delivered, Message)>, Break> {
        match message.status {
            None | Some(StatusCode::OK) => {}
            Some(StatusCode::IDLE_HEARTBEAT) => return Ok(None),
            // The status of an ended pull contains how much of it did not arrive.
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
        if inner.link.send(ask, None).await.is_err() {
            tracing::debug!("the consumer was not deleted; the server forgets it by itself");
        }
    }
}

impl Delivered {
    /// Parses `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<times>.<seq>.<consumer seq>.<nanos>.<pending>…`.
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
