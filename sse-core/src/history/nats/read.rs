//! Reads the contents of the stream.

use std::time::Duration;

use async_nats::{Message, StatusCode};
use serde_json::json;

use super::{
    super::{HistoryBounds, HistoryError, HistoryErrorKind, Pattern, Record, Topic, engine::cut_to_bytes},
    answer::{Failure, parse},
    delivered::Mark,
    inner::Inner,
    link::Ask,
    message::{self, Fields, Stored, nanos},
    settings,
    streams::{Info, NO_MESSAGE, RawAnswer},
};
use crate::resume::Cursor;

/// The number of records that one request asks for.
const BATCH: usize = 1_000;

/// The number of concurrent requests for single records, used where their bytes are limited.
const AT_ONCE: usize = 16;

/// The number of requests to a replica that lags behind, and the pause between them.
const LAGGING: (usize, Duration) = (20, Duration::from_millis(50));

/// The maximum number of events of several topics that are searched for a later event of a finished topic.
const MULTIS: usize = 256;

impl Inner {
    pub(super) async fn read(
        &self,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, HistoryError> {
        let Ok(_permit) = self.replays.acquire().await else { return Ok(Vec::new()) };
        self.fence().await?;
        let rows = self.known().rows().len();
        let mut records: Vec<Record> = Vec::new();
        let mut asked = 0;
        while records.len() < limit {
            let next = after + 1 + records.len() as u64;
            let wanted = (limit - records.len()).min(BATCH);
            let before = records.len();
            for message in self.messages(next, wanted, max_bytes).await? {
                let expected = after + 1 + records.len() as u64;
                let Some(stored) = stored(&message).filter(|stored| stored.seq == expected) else { break };
                let cursor = Cursor::new(self.known().at(stored.seq), stored.seq);
                records.push(stored.record(&self.name, message.payload, cursor));
            }
            // A server that was asked for fewer bytes may have returned fewer records.
            if cut_to_bytes(&mut records, max_bytes) || (max_bytes < usize::MAX && records.len() > before) {
                break;
            }
            if records.len() - before == wanted {
                continue;
            }
            let info = self.info_or_create().await?;
            let next = after + 1 + records.len() as u64;
            if info.oldest() > next {
                let message = format!("the record {next} was trimmed; the oldest is {}", info.oldest());
                return Err(HistoryError::new(HistoryErrorKind::Trimmed, message));
            }
            if next > info.head() {
                break;
            }
            asked += 1;
            if asked > LAGGING.0 {
                let message = format!("the record {next} is there, but no replica has it yet; try again");
                return Err(HistoryError::new(HistoryErrorKind::Unavailable, message));
            }
            tokio::time::sleep(LAGGING.1).await;
        }
        self.fence().await?;
        if self.known().rows().len() == rows {
            return Ok(records);
        }
        // The records may be of a stream that was created again, but have the epoch of the one before.
        let message = "a new epoch began while records were read; read them again";
        Err(HistoryError::new(HistoryErrorKind::Unavailable, message))
    }

    /// Returns the messages from a position on, in order; any replica may send them.
    async fn messages(
        &self,
        first: u64,
        wanted: usize,
        max_bytes: usize,
    ) -> Result<Vec<Message>, HistoryError> {
        let subject = format!("DIRECT.GET.{}", self.name);
        if settings::has_batches(&self.link.server().version) {
            let max_bytes = i64::try_from(max_bytes.max(1)).unwrap_or(i64::MAX);
            let request = match max_bytes {
                i64::MAX => json!({ "seq": first, "batch": wanted, "next_by_subj": ">" }),
                _ => json!({ "seq": first, "batch": wanted, "next_by_subj": ">", "max_bytes": max_bytes }),
            };
            let messages = self.link.ask_many(&format!("$JS.API.{subject}"), &request).await;
            return messages.map_err(Failure::into_unavailable);
        }
        let wanted = if max_bytes < usize::MAX { wanted.min(AT_ONCE) } else { wanted };
        let asks = (first..).take(wanted).map(|seq| Ask::api(&subject, &json!({ "seq": seq }))).collect();
        let mut messages = Vec::new();
        for answer in self.link.ask_all(asks).await {
            let message = answer.map_err(Failure::into_unavailable)?;
            if message.status.is_some_and(|status| status != StatusCode::OK) {
                break;
            }
            messages.push(message);
        }
        Ok(messages)
    }

    /// Returns whether the record at the cursor is the one that the cursor names.
    ///
    /// Only a cursor with a check can be compared. A cursor without a check names a position whose record was
    /// already trimmed when the cursor was made, and a record that has been trimmed since cannot be compared
    /// either: for both, the table of epochs alone decides.
    pub(super) async fn verify(&self, cursor: Cursor) -> Result<bool, HistoryError> {
        self.fence().await?;
        let Some(check) = cursor.checksum().filter(|_| cursor.seq() > 0) else {
            return Ok(cursor.seq() <= self.look().await?.head());
        };
        match self.stored(cursor.seq()).await? {
            Some(stored) => Ok(stored.check() == check),
            None => Ok(cursor.seq() < self.look().await?.oldest()),
        }
    }

    pub(super) async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        let info = self.look().await?;
        let epochs = self.known().epochs();
        let Some(epochs) = epochs else {
            return Err(HistoryError::new(HistoryErrorKind::Damaged, "the table of epochs is empty"));
        };
        self.first_rows.get_or_init(|| epochs.rows().len());
        let (last, finished) = self.last(patterns, &info).await?;
        // The position of the last trimmed event of a topic is not remembered.
        let trimmed = last.min(info.oldest() - 1);
        Ok(HistoryBounds { oldest: info.oldest(), head: info.head(), epochs, last, trimmed, finished })
    }

    /// Returns the last position of the patterns, or a higher one; and the exact topics that are finished.
    async fn last(
        &self,
        patterns: &[Pattern],
        info: &Info,
    ) -> Result<(u64, Vec<(Topic, Cursor)>), HistoryError> {
        if patterns.is_empty() || info.head() == 0 {
            return Ok((0, Vec::new()));
        }
        let mut subjects = vec![message::multi(&self.name)];
        subjects.extend(patterns.iter().map(|pattern| message::filter(&self.name, pattern)));
        let call = format!("STREAM.MSG.GET.{}", self.name);
        let asks = subjects.iter().map(|subject| Ask::api(&call, &json!({ "last_by_subj": subject })));
        let mut found: Vec<Option<Stored>> = Vec::with_capacity(subjects.len());
        for answer in self.link.ask_all(asks.collect()).await {
            let answer = answer.map_err(Failure::into_unavailable)?;
            found.push(match parse::<RawAnswer>(&answer.payload)? {
                Ok(answer) => Some(answer.message.into()),
                Err(refusal) if refusal.err_code == NO_MESSAGE => None,
                Err(refusal) => return Err(refusal.into_error()),
            });
        }
        let mut found = found.into_iter();
        let multi = found.next().flatten().map_or(0, |stored| stored.seq);
        // The trimmed events may have had any of the topics. An event of several topics may have one of them.
        let mut last = multi.max(info.oldest() - 1);
        let mut finished = Vec::new();
        for (pattern, stored) in patterns.iter().zip(found) {
            let Some(stored) = stored else { continue };
            last = last.max(stored.seq);
            let Ok(topic) = pattern.clone().into_topic() else { continue };
            if stored.is_finish() && !self.is_reopened(&topic, stored.seq, multi).await? {
                let cursor = Cursor::new(self.known().at(stored.seq), stored.seq);
                finished.push((topic, cursor.with_checksum(stored.check())));
            }
        }
        Ok((last, finished))
    }

    /// Returns whether an event of several topics, after `finish` and up to `last`, has this topic. After
    /// [`MULTIS`] such events the search stops: then the topic counts as open, and the reader gets 200 instead of
    /// 204.
    async fn is_reopened(&self, topic: &Topic, finish: u64, last: u64) -> Result<bool, HistoryError> {
        let call = format!("STREAM.MSG.GET.{}", self.name);
        let mut after = finish;
        for _ in 0..MULTIS {
            if after >= last {
                return Ok(false);
            }
            let request = json!({ "seq": after + 1, "next_by_subj": message::multi(&self.name) });
            let stored: Stored = match self.link.call::<RawAnswer>(&call, &request).await? {
                Ok(answer) => answer.message.into(),
                Err(refusal) if refusal.err_code == NO_MESSAGE => return Ok(false),
                Err(refusal) => return Err(refusal.into_error()),
            };
            if stored.topics(&self.name).contains(topic) {
                return Ok(true);
            }
            after = stored.seq;
        }
        Ok(true)
    }

    /// Returns the first position, up to `until`, at which the stream no longer holds the reported record, and one
    /// of the lost records. Only records that were reported before `info` was requested can be compared with it.
    pub(super) async fn first_lost(
        &self,
        until: u64,
        info: &Info,
    ) -> Result<Option<(u64, Mark)>, HistoryError> {
        let Some(last) = self.delivered().last_up_to(until) else { return Ok(None) };
        if self.stands(last, info).await? {
            return Ok(None);
        }
        let marks = self.delivered().marks_up_to(until);
        // Up to some position all records are unchanged, after it none: a record written after a loss never has an
        // old check.
        let (mut standing, mut lost) = (0, marks.len().saturating_sub(1));
        while standing < lost {
            let middle = standing + (lost - standing) / 2;
            let Some(mark) = marks.get(middle) else { break };
            if self.stands(*mark, info).await? {
                standing = middle + 1;
            } else {
                lost = middle;
            }
        }
        let Some(mark) = marks.get(lost) else { return Ok(None) };
        let before = lost.checked_sub(1).and_then(|before| marks.get(before));
        Ok(Some((before.map_or(1, |before| before.seq + 1), *mark)))
    }

    /// Returns whether the stream holds the record unchanged, as far as that can be proved.
    async fn stands(&self, mark: Mark, info: &Info) -> Result<bool, HistoryError> {
        if mark.seq > info.head() || mark.seq < info.oldest() {
            return Ok(mark.seq < info.oldest());
        }
        let stored = self.stored(mark.seq).await?;
        Ok(stored.is_none_or(|stored| stored.check() == mark.check))
    }
}

/// Reads a message of the stream from the answer to a direct read.
fn stored(message: &Message) -> Option<Stored> {
    let headers = message.headers.as_ref()?;
    let value = |name: &str| headers.get_last(name).map(|value| value.as_str());
    Some(Stored {
        seq: value("Nats-Sequence")?.parse().ok()?,
        subject: value("Nats-Subject")?.to_owned(),
        fields: Fields::of(message.headers.as_ref(), &message.payload),
        nanos: value("Nats-Time-Stamp").and_then(nanos)?,
    })
}
