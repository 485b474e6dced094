use std::fmt;

use crate::history::{HistoryError, HistoryErrorKind};

/// The version of the schema that this crate installs.
pub(super) const VERSION: i32 = 1;

/// The maximum length of a name in bytes, so that a channel's name fits into PostgreSQL's 63.
const MAX_LEN: usize = 41;

/// The parts of the script; `{sse}` stands for the name.
const PARTS: [&str; 4] = [
    include_str!("sql/tables.sql"),
    include_str!("sql/publish.sql"),
    include_str!("sql/number.sql"),
    include_str!("sql/read.sql"),
];

/// The name of the schema, and what is derived from it.
#[derive(Clone)]
pub(super) struct Schema {
    pub(super) name: String,
    /// The channel for the notifications of publishers.
    pub(super) bell: String,
    /// The channel for the head.
    pub(super) log: String,
    /// The channel for signals.
    pub(super) signals: String,
}

impl Schema {
    pub(super) fn new(name: &str) -> Result<Self, HistoryError> {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let is_valid = name.len() <= MAX_LEN
            && name.bytes().all(is_allowed)
            && name.starts_with(|first: char| !first.is_ascii_digit())
            && !name.starts_with("pg_");
        if !is_valid {
            let message = format!(
                "the name {name:?} is not 1 to {MAX_LEN} lower-case letters, digits and underscores that begin with \
                 neither a digit nor `pg_`; choose another"
            );
            return Err(HistoryError::new(HistoryErrorKind::Settings, message));
        }
        Ok(Self {
            name: name.to_owned(),
            bell: name.to_owned(),
            log: format!("{name}_log"),
            signals: format!("{name}_signal"),
        })
    }

    /// Returns the script that installs the schema.
    pub(super) fn script(&self) -> String {
        PARTS.concat().replace("{sse}", &self.name)
    }

    /// Returns the statement with the name in place of `{sse}`.
    pub(super) fn sql(&self, statement: &str) -> String {
        statement.replace("{sse}", &self.name)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{PARTS, Schema};

    #[test]
    fn names_are_checked() {
        let longest = "a".repeat(41);
        for name in ["sse", "_", "a1_b", &*longest] {
            assert!(Schema::new(name).is_ok(), "{name}");
        }
        let longer = "a".repeat(42);
        for name in ["", "1a", "Sse", "a-b", "a b", "a;b", "é", "pg_sse", &*longer] {
            assert!(Schema::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn every_function_has_a_fixed_path_or_is_part_of_one_that_has() {
        let mut definers = 0;
        for statement in PARTS.concat().split("create or replace function ").skip(1) {
            let head = statement.split(" as $$").next().unwrap_or_default();
            let is_inlined = head.contains("language sql") && !head.contains("security definer");
            assert!(is_inlined || head.contains("set search_path = pg_catalog, pg_temp"), "{head}");
            definers += usize::from(head.contains("security definer"));
        }
        assert!(definers >= 10);
    }
}
