//! The required settings of the server and the streams, and the check of existing ones.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{HistoryError, HistoryErrorKind, Retention},
    NatsHistoryBuilder,
};

/// The oldest supported server version.
const OLDEST: (u64, u64) = (2, 10);

/// The first server version that answers a read of many records at once.
const BATCHES: (u64, u64) = (2, 11);

/// The settings of a stream that matter here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub(super) subjects: Vec<String>,
    pub(super) retention: String,
    pub(super) discard: String,
    pub(super) max_msgs: i64,
    pub(super) max_bytes: i64,
    pub(super) max_age: u64,
    pub(super) max_msgs_per_subject: i64,
    pub(super) num_replicas: usize,
    pub(super) storage: String,
    pub(super) no_ack: bool,
    pub(super) sealed: bool,
    pub(super) deny_delete: bool,
    pub(super) deny_purge: bool,
    pub(super) allow_rollup_hdrs: bool,
    pub(super) allow_direct: bool,
    pub(super) allow_msg_ttl: bool,
    pub(super) allow_msg_counter: bool,
    pub(super) allow_msg_schedules: bool,
    pub(super) subject_delete_marker_ttl: u64,
    pub(super) mirror: Option<Value>,
    pub(super) sources: Option<Vec<Value>>,
    pub(super) subject_transform: Option<Value>,
}

/// Returns the request that creates the stream of events.
pub(super) fn events_stream(name: &str, options: &NatsHistoryBuilder) -> Value {
    let (events, bytes, age) = limits(options.retention);
    // The server rejects a window longer than the age.
    let window = nanos(options.key_window).min(if age == 0 { u64::MAX } else { age });
    json!({
        "name": name,
        "description": "Events of an SSE hub; each position is a sequence number, so nothing may be deleted or purged",
        "subjects": [format!("{name}.>")],
        "retention": "limits",
        "discard": "old",
        "max_msgs": events,
        "max_bytes": bytes,
        "max_age": age,
        "max_msgs_per_subject": -1,
        "max_consumers": -1,
        "storage": options.storage.as_str(),
        "num_replicas": options.replicas,
        "duplicate_window": window,
        "deny_delete": true,
        "deny_purge": true,
        "allow_rollup_hdrs": false,
        "allow_direct": true,
    })
}

/// Returns the request that creates the stream for the table of epochs.
pub(super) fn epochs_stream(name: &str, replicas: usize, storage: &str) -> Value {
    json!({
        "name": name,
        "description": "The table of epochs of an SSE hub's events; the newest message counts",
        "subjects": [name],
        "retention": "limits",
        "discard": "old",
        "max_msgs": 16,
        "storage": storage,
        "num_replicas": replicas,
    })
}

impl Config {
    /// Checks that the stream keeps events as a history requires.
    pub(super) fn check(&self, name: &str) -> Result<(), HistoryError> {
        let wrong = self.wrong(name);
        if wrong.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the stream `{name}` has settings with which events would be lost or renumbered: {}; \
             change them, or use another name",
            wrong.join("; ")
        );
        Err(HistoryError::new(HistoryErrorKind::Settings, message))
    }

    fn wrong(&self, name: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |is_right: bool, setting: &str, is: &dyn std::fmt::Display, must_be: &str| {
            if !is_right {
                wrong.push(format!("{setting} is {is} and must be {must_be}"));
            }
        };
        let subjects = format!("{name}.>");
        must(self.subjects == [subjects.as_str()], "subjects", &self.subjects.join(","), &subjects);
        must(self.retention == "limits", "retention", &self.retention, "limits");
        must(self.discard == "old", "discard", &self.discard, "old");
        must(self.max_msgs_per_subject <= 0, "max_msgs_per_subject", &self.max_msgs_per_subject, "-1");
        must(self.deny_delete, "deny_delete", &self.deny_delete, "true");
        must(self.deny_purge, "deny_purge", &self.deny_purge, "true");
        must(!self.allow_rollup_hdrs, "allow_rollup_hdrs", &true, "false");
        must(self.allow_direct, "allow_direct", &self.allow_direct, "true");
        must(!self.no_ack, "no_ack", &true, "false");
        must(!self.sealed, "sealed", &true, "false");
        must(!self.allow_msg_ttl, "allow_msg_ttl", &true, "false");
        must(!self.allow_msg_counter, "allow_msg_counter", &true, "false");
        must(!self.allow_msg_schedules, "allow_msg_schedules", &true, "false");
        let marker = self.subject_delete_marker_ttl;
        must(marker == 0, "subject_delete_marker_ttl", &marker, "0");
        must(self.mirror.is_none(), "mirror", &"set", "none");
        must(self.sources.as_ref().is_none_or(Vec::is_empty), "sources", &"set", "none");
        must(self.subject_transform.is_none(), "subject_transform", &"set", "none");
        wrong
    }

    /// Logs a warning if an existing stream keeps more or less than the options: its own limits apply.
    pub(super) fn warn_of_limits(&self, name: &str, options: &NatsHistoryBuilder) {
        if (self.max_msgs, self.max_bytes, self.max_age) != limits(options.retention) {
            tracing::warn!(
                stream = name,
                max_msgs = self.max_msgs,
                max_bytes = self.max_bytes,
                max_age_nanos = self.max_age,
                "the stream exists with limits other than those asked for; its own count"
            );
        }
    }
}

/// Returns the limits in the server's units: nanoseconds for the age, and no limit if the number is too large for
/// it.
fn limits(retention: Retention) -> (i64, i64, u64) {
    let count = |limit: usize| i64::try_from(limit).unwrap_or(-1);
    (count(retention.events), count(retention.bytes), nanos(retention.age))
}

fn nanos(duration: Duration) -> u64 {
    i64::try_from(duration.as_nanos()).ok().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0)
}

/// Checks that the server is new enough.
pub(super) fn check_version(version: &str) -> Result<(), HistoryError> {
    if number(version).is_some_and(|number| number >= OLDEST) {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    let message = format!(
        "NATS server {version} is too old: use {major}.{minor} or newer (packages of distributions are often older)"
    );
    Err(HistoryError::new(HistoryErrorKind::Settings, message))
}

/// Returns whether the server answers a read of many records at once.
pub(super) fn has_batches(version: &str) -> bool {
    number(version).is_some_and(|number| number >= BATCHES)
}

/// Returns the first two numbers of a version such as `2.11.0-RC.1`.
fn number(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Checks a name: it names a stream and is the first part of subjects.
pub(super) fn check_name(name: &str) -> Result<(), HistoryError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(allowed) {
        return Ok(());
    }
    let message =
        format!("the name {name:?} is not 1 to 64 letters, digits, `-` and `_`; choose such a name");
    Err(HistoryError::new(HistoryErrorKind::Settings, message))
}
