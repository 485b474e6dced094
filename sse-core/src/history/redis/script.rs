//! The scripts: everything that numbers records or answers for them runs in the server, in one piece.

use redis::{FromRedisValue, RedisResult, Script, ScriptInvocation, Value, aio::MultiplexedConnection};

use super::{Settings, answer, names::Names};
use crate::{
    history::{Entry, EntryKind, Pattern, Span, codec, scoped},
    resume::Epoch,
};

/// Redis counts in doubles inside scripts: larger limits are none.
const UNLIMITED: u128 = 1 << 52;

/// The scripts with their hashes.
#[derive(Debug)]
pub(super) struct Scripts {
    append: Script,
    span: Script,
    range: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let prologue = include_str!("prologue.lua");
        Self {
            append: Script::new(&[prologue, include_str!("append.lua")].concat()),
            span: Script::new(&[prologue, include_str!("span.lua")].concat()),
            range: Script::new(include_str!("range.lua")),
        }
    }
}

impl Scripts {
    /// Keeps the entries, which were checked; the answers are in their order.
    pub(super) async fn append(
        &self,
        connection: &mut MultiplexedConnection,
        settings: &Settings,
        entries: &[Entry],
    ) -> RedisResult<Vec<String>> {
        let mut call = begin(&self.append, settings);
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

    /// At most `count` entries of the log, and none once they have `max_bytes` together.
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

    /// What is kept now.
    pub(super) async fn span(
        &self,
        connection: &mut MultiplexedConnection,
        settings: &Settings,
        patterns: &[Pattern],
    ) -> RedisResult<Span> {
        let mut call = begin(&self.span, settings);
        call.arg(patterns.len());
        for pattern in patterns {
            if pattern.is_exact() {
                call.arg("exact").arg(pattern.as_str());
            } else {
                call.arg("wild").arg(lua_pattern(pattern));
            }
        }
        let told = answer::Told::from_redis_value(call.invoke_async(connection).await?)?;
        answer::span(told)
    }
}

fn begin<'a>(script: &'a Script, settings: &Settings) -> ScriptInvocation<'a> {
    let Names { log, meta, epochs, topics, finishes, lulls, marks, .. } = &settings.names;
    let mut call = script.key(log);
    call.key(meta).key(epochs).key(topics).key(finishes).key(marks).key(lulls);
    let retention = settings.retention;
    call.arg(Epoch::random().to_string())
        .arg((retention.events as u128).clamp(1, UNLIMITED).to_string())
        .arg((retention.bytes as u128).clamp(1, UNLIMITED).to_string())
        .arg(retention.age.as_millis().min(UNLIMITED).to_string());
    call
}

/// A pattern with wildcards as Lua has it.
fn lua_pattern(pattern: &Pattern) -> String {
    let mut lua = "^".to_owned();
    for (place, part) in pattern.as_str().split('.').enumerate() {
        if place > 0 {
            lua.push_str("%.");
        }
        match part {
            "*" => lua.push_str("[^.]+"),
            ">" => lua.push_str(".+"),
            part => part.chars().for_each(|unit| {
                if !unit.is_ascii_alphanumeric() {
                    lua.push('%');
                }
                lua.push(unit);
            }),
        }
    }
    lua.push('$');
    lua
}
