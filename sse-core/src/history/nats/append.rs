//! Appends and sends signals.

use bytes::Bytes;
use serde::Deserialize;

use super::{
    super::{Appended, Entry, HistoryError, HistoryErrorKind, SignalReceipt},
    answer::{Failure, parse},
    inner::Inner,
    link::Ask,
    message,
};
use crate::resume::Cursor;

/// The position of a message, as the server acknowledges it.
#[derive(Debug, Deserialize)]
struct Ack {
    stream: String,
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

impl Inner {
    pub(super) async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        self.fence().await?;
        let mut asks = Vec::with_capacity(entries.len());
        let mut checks = Vec::with_capacity(entries.len());
        for entry in entries {
            let (headers, check) = message::headers(&entry);
            let subject = message::subject(&self.name, &entry.topics);
            asks.push(Ask { subject, headers, payload: entry.lines });
            checks.push(check);
        }
        // Checked before any is sent: a message that the server refuses for its size must not leave an append half
        // done.
        let (most, longest) = (self.link.max_payload(), asks.iter().map(Ask::len).max().unwrap_or(0));
        if longest > most {
            return Err(
                Failure::TooLarge(format!("{longest} bytes, at most {most} are taken")).into_unavailable()
            );
        }
        let newest = self.delivered().newest();
        let answers = match (asks.len(), asks.pop()) {
            (1, Some(ask)) => vec![self.link.ask(ask).await],
            (_, last) => {
                asks.extend(last);
                self.link.ask_all(asks).await
            }
        };
        let mut acks = Vec::with_capacity(answers.len());
        let mut failed: Option<HistoryError> = None;
        let mut is_certain = true;
        for answer in answers {
            match answer {
                Ok(answer) => match parse::<Ack>(&answer.payload) {
                    Ok(Ok(ack)) => acks.push(ack),
                    Ok(Err(refusal)) => failed = failed.or(Some(refusal.into_error())),
                    Err(error) => {
                        is_certain = false;
                        failed = failed.or(Some(error));
                    }
                },
                Err(failure) => {
                    is_certain &= !matches!(failure, Failure::Lost);
                    if matches!(failure, Failure::NoResponders) {
                        // The subjects have no receiver: the stream may be deleted; the next look creates it
                        // again.
                        self.invalidate();
                    }
                    failed = failed.or(Some(failure.into_unavailable()));
                }
            }
        }
        if let Some(error) = failed {
            if acks.is_empty() && is_certain {
                return Err(error);
            }
            let message = "the NATS server did not acknowledge all of it; publish again with the same key";
            return Err(HistoryError::new(HistoryErrorKind::Uncertain, message).with_source(error));
        }
        // A position that was known before can be acknowledged again only by a stream that was created again.
        if acks.iter().any(|ack| !ack.duplicate && ack.seq <= newest) {
            self.invalidate();
        }
        // The acknowledgement may be from a new connection or stream; then its epoch must be known first.
        if let Err(error) = self.fence().await {
            tracing::debug!(%error, "the epoch of an appended event could not be looked up");
        }
        if let Some(newest) = acks.iter().map(|ack| ack.seq).max() {
            self.delivered().acked(newest);
        }
        let mut appended = Vec::with_capacity(acks.len());
        for (ack, check) in acks.into_iter().zip(checks) {
            appended.push(self.appended(ack, check).await?);
        }
        Ok(appended)
    }

    async fn appended(&self, ack: Ack, check: u32) -> Result<Appended, HistoryError> {
        if ack.stream != self.name {
            let message = format!(
                "the stream `{}` takes the subjects of `{}`: change its subjects, or use another name",
                ack.stream, self.name
            );
            return Err(HistoryError::new(HistoryErrorKind::Settings, message));
        }
        let cursor = Cursor::new(self.known().at(ack.seq), ack.seq);
        let check = if ack.duplicate {
            // The check of the first entry; if that was trimmed meanwhile, or does not arrive, there is only the
            // position.
            self.stored(ack.seq).await.ok().flatten().map(|stored| stored.check())
        } else {
            Some(check)
        };
        let cursor = check.map_or(cursor, |check| cursor.with_checksum(check));
        Ok(Appended { cursor, duplicate: ack.duplicate })
    }

    pub(super) async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        let (headers, _) = message::headers(&entry);
        let subject = message::subject(&self.signals, &entry.topics);
        let payload: Bytes = entry.lines;
        let sent = self.link.send(Ask { subject, headers, payload }, None).await;
        sent.map_err(Failure::into_unavailable)?;
        // Plain publish-subscribe does not report who listens.
        Ok(SignalReceipt { processes: None })
    }
}
