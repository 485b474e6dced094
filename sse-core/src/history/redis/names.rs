use crate::history::{HistoryError, HistoryErrorKind};

/// The longest name in bytes.
const MAX_LEN: usize = 128;

/// The keys of one history. All have the same hash tag, so that one node has them.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The stream of blocks.
    pub(super) log: String,
    /// A hash: fence, head, epoch, bytes, forgotten.
    pub(super) meta: String,
    /// A list: each epoch and its first position.
    pub(super) epochs: String,
    /// A sorted set: each topic by its last position.
    pub(super) topics: String,
    /// A hash: of each finished topic where and when.
    pub(super) finishes: String,
    /// A hash: of each topic a place and the next one, between which it had no record, and the former was trimmed.
    pub(super) lulls: String,
    /// A list: how the stream grew.
    pub(super) marks: String,
    /// The channel of signals.
    pub(super) signals: String,
    key: String,
}

impl Names {
    pub(super) fn new(name: &str) -> Result<Self, HistoryError> {
        let is_valid = !name.is_empty()
            && name.len() <= MAX_LEN
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}'));
        if !is_valid {
            let message = format!(
                "the name {name:?} of the history is not 1 to {MAX_LEN} bytes of visible ASCII without braces; \
                 choose another"
            );
            return Err(HistoryError::new(HistoryErrorKind::Settings, message));
        }
        let key = |what: &str| format!("sse:{{{name}}}:{what}");
        Ok(Self {
            log: key("log"),
            meta: key("meta"),
            epochs: key("epochs"),
            topics: key("topics"),
            finishes: key("finishes"),
            lulls: key("lulls"),
            marks: key("marks"),
            signals: key("signals"),
            key: key("key:"),
        })
    }

    /// Where the place of a publisher's key is remembered.
    pub(super) fn key(&self, scoped: &str) -> String {
        format!("{}{scoped}", self.key)
    }

    /// Each key and the type that it must have.
    pub(super) fn types(&self) -> [(&str, &'static str); 7] {
        [
            (&self.log, "stream"),
            (&self.meta, "hash"),
            (&self.epochs, "list"),
            (&self.topics, "zset"),
            (&self.finishes, "hash"),
            (&self.lulls, "hash"),
            (&self.marks, "list"),
        ]
    }
}
