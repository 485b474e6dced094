//! A hub's `sse.gap`, as its readers receive it.

use serde::Deserialize;

use super::{Cursor, Gap, GapReason};
use crate::wire::Message;

impl Message {
    /// Returns the gap that a hub reports before any other event, if this message is that notice (type `sse.gap`).
    ///
    /// ```
    /// use sse_core::{GapReason, decode::Decoder};
    ///
    /// let notice = "event: sse.gap\ndata: {\"reason\":\"trimmed\",\"requested\":null,\
    ///     \"resumed_at\":\"00000000000000ff-7\",\"missed\":3}\nid: 00000000000000ff-7\n\n";
    /// let mut decoder = Decoder::new();
    /// let message = decoder.messages(&mut notice.as_bytes()).next().transpose()?.unwrap();
    /// let gap = message.gap().unwrap();
    /// assert_eq!((gap.reason, gap.missed), (GapReason::Trimmed, Some(3)));
    /// # Ok::<(), sse_core::decode::DecodeError>(())
    /// ```
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        #[derive(Deserialize)]
        struct Notice {
            reason: String,
            requested: Option<String>,
            resumed_at: String,
            missed: Option<u64>,
        }
        if self.event_type() != "sse.gap" {
            return None;
        }
        let notice: Notice = serde_json::from_str(self.data()).ok()?;
        let resumed_at: Cursor = notice.resumed_at.parse().ok()?;
        let reason =
            [GapReason::Epoch, GapReason::Fork, GapReason::Future, GapReason::Malformed, GapReason::Trimmed]
                .into_iter()
                .find(|reason| reason.as_str() == notice.reason)?;
        Some(Gap { reason, requested: notice.requested, resumed_at, missed: notice.missed })
    }
}
