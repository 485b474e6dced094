//! The tables of the file.
//!
//! Each bucket of records has its own table, so that trimming drops a table and never a row.

use redb::TableDefinition;

/// The version of this layout: since 2 the checksum of a block covers its position, and the trimmed position of
/// each topic is stored.
pub(super) const FORMAT: u64 = 2;

/// Single values by name.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const META_FORMAT: &str = "format";
/// The last position.
pub(super) const META_HEAD: &str = "head";
/// A position after which no forgotten topic had a record.
pub(super) const META_FORGOTTEN: &str = "forgotten";

/// Each epoch by its index in the table of epochs: its name and first position.
pub(super) const EPOCHS: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("epochs");

/// Each bucket's first position: its last position, its bytes, and the time of its last record (milliseconds since
/// 1970).
pub(super) const BUCKETS: TableDefinition<'_, u64, (u64, u64, u64)> = TableDefinition::new("buckets");

/// Each topic: its last position, the epoch and time of that record, and whether it is a finish.
pub(super) const TOPICS: TableDefinition<'_, &str, (u64, u64, u64, bool)> = TableDefinition::new("topics");

/// Each topic with a trimmed record: the last such position.
pub(super) const TRIMMED: TableDefinition<'_, &str, u64> = TableDefinition::new("trimmed");

/// Each generation of keys: its start, and the number of its keys.
pub(super) const GENERATIONS: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("key generations");

/// Blocks of records by the position of their last record.
pub(super) type Records<'a> = TableDefinition<'a, u64, &'static [u8]>;

/// Keys with their scope: the position and epoch of their event.
pub(super) type Keys<'a> = TableDefinition<'a, &'static str, (u64, u64)>;

pub(super) fn bucket_name(first: u64) -> String {
    format!("records {first}")
}

pub(super) fn generation_name(generation: u64) -> String {
    format!("keys {generation}")
}
