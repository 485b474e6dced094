//! Requests to JetStream about streams and single messages.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::HistoryError,
    answer::Refusal,
    inner::Inner,
    message::{Fields, Stored, base64, nanos},
    settings::{self, Config},
};

/// The server's codes for a missing message and a missing stream.
pub(super) const NO_MESSAGE: u32 = 10_037;
pub(super) const NO_STREAM: u32 = 10_059;

/// The server's code for a stream that another process created at the same time with other settings.
const NAME_IN_USE: u32 = 10_058;

/// The state of a stream, as JetStream reports it.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    pub(super) config: Config,
    /// The creation time: two streams of one name differ in it.
    pub(super) created: String,
    state: State,
    cluster: Option<Cluster>,
}

#[derive(Debug, Deserialize)]
struct State {
    first_seq: u64,
    last_seq: u64,
    #[serde(default)]
    num_deleted: u64,
    #[serde(default)]
    deleted: Option<Vec<u64>>,
}

#[derive(Debug, Deserialize)]
struct Cluster {
    leader: Option<String>,
}

/// A message in JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    subject: String,
    pub(super) seq: u64,
    #[serde(default)]
    pub(super) data: String,
    #[serde(default)]
    hdrs: String,
    time: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawAnswer {
    pub(super) message: Raw,
}

impl Info {
    /// Returns the first position that can be read. Messages cannot be deleted from the middle, but a damaged
    /// store may have holes: everything before the last hole counts as trimmed, so that no reader passes a hole
    /// unnoticed.
    pub(super) fn oldest(&self) -> u64 {
        let hole = self.state.deleted.iter().flatten().max().map_or(0, |hole| hole + 1);
        self.state.first_seq.max(hole).max(1)
    }

    pub(super) fn head(&self) -> u64 {
        self.state.last_seq
    }

    /// Returns whether this server alone keeps the stream, so that a new run of it may have lost the end.
    pub(super) fn is_led_by(&self, server: &str) -> bool {
        let leader = self.cluster.as_ref().and_then(|cluster| cluster.leader.as_deref());
        self.config.num_replicas <= 1 && leader == Some(server)
    }
}

impl Inner {
    /// Returns the state of the stream of events, which is created if it is missing.
    pub(super) async fn info_or_create(&self) -> Result<Info, HistoryError> {
        let call = format!("STREAM.INFO.{}", self.name);
        let mut info = self.link.call::<Info>(&call, &json!({})).await?;
        if matches!(&info, Err(refusal) if refusal.err_code == NO_STREAM) {
            tracing::info!(stream = %self.name, "making the stream of events");
            self.create(&self.name, &settings::events_stream(&self.name, &self.options)).await?;
            info = self.link.call(&call, &json!({})).await?;
        }
        if matches!(&info, Ok(info) if info.state.num_deleted > 0) {
            info = self.link.call(&call, &json!({ "deleted_details": true })).await?;
        }
        info.map_err(Refusal::into_error)
    }

    /// Creates a stream, unless another process has just created it.
    pub(super) async fn create(&self, name: &str, stream: &Value) -> Result<(), HistoryError> {
        match self.link.call::<Value>(&format!("STREAM.CREATE.{name}"), stream).await? {
            Err(refusal) if refusal.err_code != NAME_IN_USE => Err(refusal.into_error()),
            _ => Ok(()),
        }
    }

    /// Returns the message at a position, read where writes go.
    pub(super) async fn stored(&self, seq: u64) -> Result<Option<Stored>, HistoryError> {
        let call = format!("STREAM.MSG.GET.{}", self.name);
        match self.link.call::<RawAnswer>(&call, &json!({ "seq": seq })).await? {
            Ok(answer) => Ok(Some(answer.message.into())),
            Err(refusal) if refusal.err_code == NO_MESSAGE => Ok(None),
            Err(refusal) => Err(refusal.into_error()),
        }
    }
}

impl From<Raw> for Stored {
    fn from(raw: Raw) -> Self {
        let headers = base64(&raw.hdrs).unwrap_or_default();
        let payload = base64(&raw.data).unwrap_or_default();
        let fields = Fields::of_text(&String::from_utf8_lossy(&headers), &payload);
        Self { seq: raw.seq, subject: raw.subject, fields, nanos: nanos(&raw.time).unwrap_or(0) }
    }
}
