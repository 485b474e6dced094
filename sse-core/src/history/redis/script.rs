//! The scripts: every operation that numbers records or answers for them runs in the server, as one script.

use redis::{FromRedisValue, RedisResult, Script, ScriptInvocation, Value, aio::MultiplexedConnection};

use super::{answer, names::Names, scan, settings::Settings};
use crate::{
    history::{Entry, EntryKind, HistoryBounds, Pattern, codec, mark::Mark, scoped},
    resume::{Cursor, Epoch},
};

/// Redis counts in doubles inside scripts: larger limits count as unlimited.
const UNLIMITED: u128 = 1 << 52;

/// The scripts with their hashes, and the newest position that they have returned.
#[derive(Debug)]
pub(super) struct Scripts {
    append: Script,
    span: Script,
    pub(super) mark: Mark,
    range: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let prologue = include_str!("scripts/prologue.lua");
        Self {
            append: Script::new(&[prologue, include_str!("scripts/append.lua")].concat()),
            span: Script::new(&[prologue, include_str!("scripts/span.lua")].concat()),
            mark: Mark::default(),
            range: Script::new(include_str!("scripts/range.lua")),
        }
    }
}

impl Scripts {
    /// Stores the entries, which were checked; the answers are in their order.
    pub(super) async fn append(
        &self,
        connection: &mut MultiplexedConnection,
        settings: &Settings,
        entries: &[Entry],
    ) -> RedisResult<Vec<String>> {
        let mut call = self.begin(&self.append, settings);
        let memory = settings.key_memory.as_millis().clamp(1, UNLIMITED);
        call.arg(memory.to_string()).arg(entries.len());
        let mut keys = 0;
        for entry in entries {
            let mut topics = String::new();
            for topic in &entry.topics {
                topics.push_str(topic.as_str());
                topics.push(' ');
            }
            let mut key = 0;
            if let Some(name) = &entry.key {
                keys += 1;
                key = keys;
                call.key(settings.names.key(&scoped(&entry.topics, name)));
            }
            let mut bytes = Vec::with_capacity(entry.lines.len() + topics.len() + 16);
            codec::write(entry, &mut bytes);
            call.arg(topics).arg(i32::from(entry.kind == EntryKind::Finish)).arg(key).arg(bytes);
        }
        call.invoke_async(connection).await
    }

    /// Returns at most `count` entries of the log, and none after they have `max_bytes` together.
    pub(super) async fn range(
        &self,
        connection: &mut MultiplexedConnection,
        log: &str,
        (from, to): (u64, &str),
        count: u64,
        max_bytes: usize,
    ) -> RedisResult<Value> {
        let max_bytes = (max_bytes as u128).min(UNLIMITED).to_string();
        self.range.key(log).arg(from).arg(to).arg(count).arg(max_bytes).invoke_async(connection).await
    }

    /// Returns the bounds of the history.
    pub(super) async fn bounds(
        &self,
        connection: &mut MultiplexedConnection,
        settings: &Settings,
        patterns: &[Pattern],
    ) -> RedisResult<HistoryBounds> {
        self.ask(connection, settings, patterns, false).await
    }

    /// As `span`, after removing the entries of other clients from the end of the stream.
    pub(super) async fn sweep(
        &self,
        connection: &mut MultiplexedConnection,
        settings: &Settings,
    ) -> RedisResult<HistoryBounds> {
        self.ask(connection, settings, &[], true).await
    }

    async fn ask(
        &self,
        connection: &mut MultiplexedConnection,
        settings: &Settings,
        patterns: &[Pattern],
        sweeps: bool,
    ) -> RedisResult<HistoryBounds> {
        let (exact, wild): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.is_exact());
        let mut call = self.begin(&self.span, settings);
        call.arg(i32::from(sweeps)).arg(if wild.is_empty() { 0 } else { scan::PAGE });
        for pattern in &exact {
            call.arg(pattern.as_str());
        }
        let reply = answer::BoundsReply::from_redis_value(call.invoke_async(connection).await?)?;
        self.mark.returned(Cursor::new(reply.epochs.current(), reply.head));
        let last = match &*wild {
            [] => None,
            wild => Some(scan::last_of(connection, &settings.names, wild, &reply).await?),
        };
        Ok(reply.into_span(last))
    }

    fn begin<'a>(&self, script: &'a Script, settings: &Settings) -> ScriptInvocation<'a> {
        let Names { log, meta, epochs, topics, finishes, lulls, marks, .. } = &settings.names;
        let mut call = script.key(log);
        call.key(meta).key(epochs).key(topics).key(finishes).key(marks).key(lulls);
        let retention = settings.retention;
        call.arg(Epoch::random().to_string())
            .arg((retention.events as u128).clamp(1, UNLIMITED).to_string())
            .arg((retention.bytes as u128).clamp(1, UNLIMITED).to_string())
            .arg(retention.age.as_millis().min(UNLIMITED).to_string())
            .arg(self.mark.text());
        call
    }
}
