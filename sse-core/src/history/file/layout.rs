//! The tables of the file.
//!
//! Records lie in buckets, a table each, so that trimming drops a table and never a row.

use redb::TableDefinition;

/// The version of this layout: since 2 the checksum of a block covers its position, and what is
/// trimmed of each topic is noted.
pub(super) const FORMAT: u64 = 2;

/// Single values by name.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const META_FORMAT: &str = "format";
/// The last position.
pub(super) const META_HEAD: &str = "head";
/// No topic that was forgotten had a record after this position.
pub(super) const META_FORGOTTEN: &str = "forgotten";

/// Each epoch's place in the table: its name and first position.
pub(super) const EPOCHS: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("epochs");

/// Each bucket's first position: its last position, its bytes, and when its last record was written (milliseconds since
/// 1970).
pub(super) const BUCKETS: TableDefinition<'_, u64, (u64, u64, u64)> = TableDefinition::new("buckets");

/// Each topic: its last position, the epoch of that, when it was written, and whether it is a finish.
pub(super) const TOPICS: TableDefinition<'_, &str, (u64, u64, u64, bool)> = TableDefinition::new("topics");

/// Each topic of which a record was trimmed: the last position of those.
pub(super) const TRIMMED: TableDefinition<'_, &str, u64> = TableDefinition::new("trimmed");

/// Each generation of keys: when it began, and how many keys it has.
pub(super) const GENERATIONS: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("key generations");

/// Blocks of records by the position of their last one.
pub(super) type Records<'a> = TableDefinition<'a, u64, &'static [u8]>;

/// Keys with their scope: the position of their event, and its epoch.
pub(super) type Keys<'a> = TableDefinition<'a, &'static str, (u64, u64)>;

pub(super) fn bucket_name(first: u64) -> String {
    format!("records {first}")
}

pub(super) fn generation_name(generation: u64) -> String {
    format!("keys {generation}")
}
