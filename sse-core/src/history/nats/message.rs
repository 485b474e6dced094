//! Encodes an entry as a message of the stream: subject, headers and payload.

use async_nats::HeaderMap;
use bytes::Bytes;

use crate::{
    history::{Entry, EntryKind, Pattern, RESERVED_TOPICS, Topic, foreign},
    resume::Cursor,
};

use super::super::Record;

/// The subject of events with several topics. No topic has this subject: a leading `$` is doubled.
const MULTI: &str = "$multi";

const CHECK: &str = "Sse-Check";
const KIND: &str = "Sse-Kind";
const TOPICS: &str = "Sse-Topics";
const FINISH: &str = "finish";

/// Returns the subject of an event with these topics under `prefix`.
pub(super) fn subject(prefix: &str, topics: &[Topic]) -> String {
    match topics {
        [topic] => escaped(prefix, topic.as_str()),
        _ => multi(prefix),
    }
}

/// Returns the subject of events with several topics.
pub(super) fn multi(prefix: &str) -> String {
    format!("{prefix}.{MULTI}")
}

/// Returns the subjects of the matching topics, in the server's own wildcards, which mean the same.
pub(super) fn filter(prefix: &str, pattern: &Pattern) -> String {
    escaped(prefix, pattern.as_str())
}

/// Returns the topic's subject. All characters of topics are allowed in subjects, so only the name of [`MULTI`]
/// needs an escape.
fn escaped(prefix: &str, topic: &str) -> String {
    let dollar = if topic.starts_with('$') { "$" } else { "" };
    format!("{prefix}.{dollar}{topic}")
}

/// Returns the headers of an entry, with a new random check, and the check.
pub(super) fn headers(entry: &Entry) -> (HeaderMap, u32) {
    let check = fastrand::u32(..);
    let mut headers = HeaderMap::new();
    headers.insert(CHECK, format!("{check:08x}"));
    if entry.kind == EntryKind::Finish {
        headers.insert(KIND, FINISH);
    }
    if entry.topics.len() > 1 {
        headers.insert(TOPICS, joined(&entry.topics));
    }
    if let Some(key) = &entry.key {
        headers.insert("Nats-Msg-Id", scoped(&entry.topics, key));
    }
    (headers, check)
}

/// Returns a key with its scope, as text that fits into a header: never the same for two scopes or two keys.
fn scoped(topics: &[Topic], key: &str) -> String {
    let mut scoped = joined(topics);
    scoped.push(' ');
    for byte in key.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'%' => scoped.push(byte.into()),
            _ => scoped.push_str(&format!("%{byte:02X}")),
        }
    }
    scoped
}

fn joined(topics: &[Topic]) -> String {
    let topics: Vec<&str> = topics.iter().map(Topic::as_str).collect();
    topics.join(" ")
}

/// The contents of a message's headers, as far as its payload confirms them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    check: Option<u32>,
    is_finish: bool,
    topics: Option<String>,
}

impl Fields {
    pub(super) fn of(headers: Option<&HeaderMap>, payload: &[u8]) -> Self {
        let mut fields = Self::default();
        for name in [CHECK, KIND, TOPICS] {
            if let Some(value) = headers.and_then(|headers| headers.get(name)) {
                fields.set(name, value.as_str());
            }
        }
        fields.compared_with(payload)
    }

    /// Parses headers as the server stores them: a version line, then `name: value` lines.
    pub(super) fn of_text(text: &str, payload: &[u8]) -> Self {
        let mut fields = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            fields.set(name, value.trim());
        }
        fields.compared_with(payload)
    }

    fn set(&mut self, name: &str, value: &str) {
        match name {
            CHECK => self.check = u32::from_str_radix(value, 16).ok(),
            KIND => self.is_finish = value == FINISH,
            TOPICS => self.topics = Some(value.to_owned()),
            _ => {}
        }
    }

    /// Any client can set the headers: a finish must have the lines of a finish.
    fn compared_with(self, payload: &[u8]) -> Self {
        let has_lines = || foreign::is_written_here(EntryKind::Finish, payload);
        Self { is_finish: self.is_finish && self.check.is_some() && has_lines(), ..self }
    }
}

/// A message that the stream contains.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) seq: u64,
    pub(super) subject: String,
    pub(super) fields: Fields,
    /// The time at which the server stored it, in nanoseconds since 1970.
    pub(super) nanos: u64,
}

impl Stored {
    /// Returns the check in the record's id: the one that its publisher chose, or for the message of a foreign
    /// publisher, a hash of the time at which it was stored.
    pub(super) fn check(&self) -> u32 {
        self.fields.check.unwrap_or_else(|| hash(self.nanos))
    }

    pub(super) fn is_finish(&self) -> bool {
        self.fields.is_finish
    }

    /// Returns the topics; none if the subject of a foreign message is not a topic.
    pub(super) fn topics(&self, prefix: &str) -> Vec<Topic> {
        let name =
            self.subject.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        if name == MULTI {
            let listed = self.fields.topics.as_deref().unwrap_or_default();
            let mut topics: Vec<Topic> =
                listed.split(' ').filter_map(|topic| Topic::new(topic).ok()).collect();
            topics.sort_unstable();
            topics.dedup();
            return topics;
        }
        let plain = match name.strip_prefix('$') {
            Some(escaped) if escaped.starts_with('$') => escaped,
            Some(_) => "",
            None => name,
        };
        Topic::new(plain).into_iter().collect()
    }

    pub(super) fn record(&self, prefix: &str, payload: Bytes, cursor: Cursor) -> Record {
        let kind = if self.is_finish() { EntryKind::Finish } else { EntryKind::Event };
        let lines = if self.fields.check.is_some() { payload } else { foreign::message(&payload) };
        Record { cursor: cursor.with_checksum(self.check()), topics: self.topics(prefix), kind, lines }
    }
}

/// Returns a signal as it was sent, unless its topic is reserved for hubs and it did not come from one.
pub(super) fn signal(message: async_nats::Message, prefix: &str) -> Option<Entry> {
    let subject = message.subject.to_string();
    let fields = Fields::of(message.headers.as_ref(), &message.payload);
    let is_ours = fields.check.is_some();
    let topics = Stored { seq: 0, subject, fields, nanos: 0 }.topics(prefix);
    if !is_ours && topics.iter().any(|topic| topic.as_str().starts_with(RESERVED_TOPICS)) {
        return None;
    }
    let lines = if is_ours { message.payload } else { foreign::message(&message.payload) };
    Some(Entry { topics, kind: EntryKind::Event, lines, key: None })
}

/// Returns 32 bits of a number, each of which depends on each of its bits (the finalizer of SplitMix64).
fn hash(value: u64) -> u32 {
    let mixed = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ mixed >> 31) >> 32) as u32
}

/// Parses a time as the server writes it, such as `2026-11-25T03:40:41.36298Z`, to nanoseconds since 1970.
pub(super) fn nanos(time: &str) -> Option<u64> {
    let (date, time) = time.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
    // Counted from March, the months have the lengths that 153 days in 5 months give, and a leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day.checked_sub(1)?;
    let days = days.checked_sub(719_468)?;
    let seconds = days.checked_mul(86_400)?.checked_add(hour * 3_600 + minute * 60 + second)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// Decodes base64, in which the server writes headers inside JSON; `None` if it is not valid.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}
