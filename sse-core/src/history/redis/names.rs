use crate::history::{HistoryError, HistoryErrorKind};

/// The maximum length of a name in bytes.
const MAX_LEN: usize = 128;

/// The keys of one history. All have the same hash tag, so that they are on one node.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The stream of blocks.
    pub(super) log: String,
    /// A hash: fence, head, epoch, bytes, forgotten.
    pub(super) meta: String,
    /// A list: each epoch with its first position.
    pub(super) epochs: String,
    /// A sorted set: each topic by its last position.
    pub(super) topics: String,
    /// A hash: each finished topic, with position and time.
    pub(super) finishes: String,
    /// A hash: for each topic two positions between which it had no record; the former was trimmed.
    pub(super) lulls: String,
    /// A list: the growth of the stream.
    pub(super) marks: String,
    /// The channel for signals.
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

    /// Returns the key under which the position of a publisher's key is stored.
    pub(super) fn key(&self, scoped: &str) -> String {
        format!("{}{scoped}", self.key)
    }

    /// Returns each key with the type that it must have.
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
