//! The operations of the writer alone: open, commit, trim.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::SystemTime,
};

use redb::{Database, Durability, ReadableTable, WriteTransaction};

use super::{
    block::BlockWriter,
    buckets::Buckets,
    failure::{self, storing, writing},
    keys::Generations,
    layout::{EPOCHS, FORMAT, META, META_FORMAT, META_HEAD, Records, bucket_name},
    place::Place,
    read::Reader,
    topics::{self, LastRecords},
};
use crate::{
    history::{Appended, Entry, HistoryError, HistoryErrorKind, Record, Retention, scoped},
    resume::{Cursor, Epoch, EpochRow, EpochTable},
};

/// The length at which a block is stored.
const BLOCK_BYTES: usize = 64 << 10;

/// The number of epochs remembered without stored records: for readers of quiet topics.
const EPOCHS_KEPT: usize = 1_000;

/// The maximum number of epochs: a cursor of an older epoch gets a gap notice.
const MOST_EPOCHS: usize = 10_000;

/// The message to the tails after each commit.
#[derive(Debug, Clone)]
pub(super) struct WriterStatus {
    pub(super) oldest: u64,
    pub(super) head: u64,
    pub(super) failure: Option<HistoryError>,
}

/// Whether anything may have been stored when a commit failed.
#[derive(Debug)]
pub(super) enum CommitFailure {
    /// Nothing was stored.
    Before(HistoryError),
    /// The entries may have been stored.
    During(HistoryError),
}

/// The file as its writer sees it.
pub(super) struct Store {
    pub(super) reader: Reader,
    place: Place,
    head: u64,
    buckets: Buckets,
    generations: Generations,
}

impl Store {
    /// Opens or creates the file, and begins a new epoch in it.
    pub(super) fn open(path: &Path, retention: Retention, cache_bytes: usize) -> Result<Self, HistoryError> {
        // The storage engine may panic if it reads pages that it did not write.
        catch_unwind(AssertUnwindSafe(|| Self::try_open(path, retention, cache_bytes)))
            .unwrap_or_else(|_| Err(failure::damaged("opening it broke off")))
    }

    fn try_open(path: &Path, retention: Retention, cache_bytes: usize) -> Result<Self, HistoryError> {
        let is_new = !path.exists();
        let database = Database::builder().set_cache_size(cache_bytes).create(path).map_err(failure::open)?;
        if is_new {
            sync_folder(path)?;
        }
        let mut transaction = begin(&database)?;
        check_format(&mut transaction)?;
        let head = head(&transaction)?;
        let buckets = Buckets::load(&transaction, retention)?;
        let generations = Generations::load(&transaction)?;
        topics::make_tables(&transaction)?;
        let epochs = begin_epoch(&transaction, head, buckets.oldest(head))?;
        transaction.commit().map_err(writing)?;
        let reader =
            Reader { database: Arc::new(database), epochs: Arc::new(epochs), recent: Arc::default() };
        Ok(Self { reader, place: Place::of(path), head, buckets, generations })
    }

    pub(super) fn status(&self) -> WriterStatus {
        WriterStatus { oldest: self.buckets.oldest(self.head), head: self.head, failure: None }
    }

    /// Stores the entries of several appends in one synced transaction.
    pub(super) fn commit(&mut self, appends: &[Vec<Entry>]) -> Result<Vec<Vec<Appended>>, CommitFailure> {
        if self.is_replaced() {
            return Err(CommitFailure::Before(failure::replaced()));
        }
        let transaction = begin(&self.reader.database).map_err(CommitFailure::Before)?;
        let (answers, records) = self.prepare(&transaction, appends).map_err(CommitFailure::Before)?;
        transaction.commit().map_err(|error| CommitFailure::During(writing(error)))?;
        self.reader.recent.extend(records, self.buckets.oldest(self.head));
        Ok(answers)
    }

    /// Returns whether a trim is due without an append.
    pub(super) fn is_trim_due(&mut self) -> bool {
        let now = now();
        self.buckets.set_back(now);
        self.buckets.is_trim_due(now)
    }

    /// Returns whether the path of this file now has another file or none.
    pub(super) fn is_replaced(&self) -> bool {
        self.place.is_replaced()
    }

    fn prepare(
        &mut self,
        transaction: &WriteTransaction,
        appends: &[Vec<Entry>],
    ) -> Result<(Vec<Vec<Appended>>, Vec<Record>), HistoryError> {
        let now = now();
        self.buckets.set_back(now);
        let epoch = self.reader.epochs.current();
        let has_keys = appends.iter().flatten().any(|entry| entry.key.is_some());
        if has_keys {
            self.generations.rotate(transaction, now)?;
        }
        let mut keys = if has_keys { Some(self.generations.open(transaction)?) } else { None };
        let mut answers = Vec::with_capacity(appends.len());
        let mut records = Vec::new();
        let mut lasts: LastRecords = HashMap::new();
        let mut block = BlockWriter::default();
        for entries in appends {
            let mut answer = Vec::with_capacity(entries.len());
            for entry in entries {
                let scoped = entry.key.as_deref().map(|key| scoped(&entry.topics, key));
                if let (Some(keys), Some(scoped)) = (&mut keys, &scoped)
                    && let Some(cursor) = keys.find(scoped)?
                {
                    answer.push(Appended { cursor, duplicate: true });
                    continue;
                }
                let cursor = Cursor::new(epoch, self.head + 1);
                if let (Some(keys), Some(scoped)) = (&mut keys, &scoped) {
                    keys.insert(scoped, cursor)?;
                }
                if block.is_empty() {
                    self.buckets.place(cursor.seq(), now);
                }
                self.head = cursor.seq();
                block.push(entry);
                if block.len() >= BLOCK_BYTES || u64::from(block.count()) >= self.buckets.room() {
                    self.store(transaction, &mut block, now)?;
                }
                for topic in &entry.topics {
                    lasts.insert(topic.clone(), (cursor, entry.kind));
                }
                let Entry { topics, kind, lines, .. } = entry.clone();
                records.push(Record { cursor, topics, kind, lines });
                answer.push(Appended { cursor, duplicate: false });
            }
            answers.push(answer);
        }
        self.store(transaction, &mut block, now)?;
        let added = keys.take().map_or(0, |keys| keys.added);
        if has_keys {
            self.generations.added(transaction, added)?;
        }
        topics::remember(transaction, &lasts, now)?;
        if self.buckets.is_trim_due(now) {
            let trimmed = self.buckets.trim(transaction, &self.reader.epochs, now)?;
            topics::note_trimmed(transaction, &trimmed)?;
            topics::forget(transaction, self.buckets.oldest(self.head), now)?;
        }
        let mut meta = transaction.open_table(META).map_err(writing)?;
        meta.insert(META_HEAD, self.head).map_err(storing)?;
        Ok((answers, records))
    }

    /// Stores a block that ends at the head.
    fn store(
        &mut self,
        transaction: &WriteTransaction,
        block: &mut BlockWriter,
        now: u64,
    ) -> Result<(), HistoryError> {
        if block.is_empty() {
            return Ok(());
        }
        let bytes = block.take(self.head);
        let name = bucket_name(self.buckets.newest());
        let mut records = transaction.open_table(Records::new(&name)).map_err(writing)?;
        records.insert(self.head, &*bytes).map_err(storing)?;
        drop(records);
        self.buckets.grow(transaction, self.head, bytes.len(), now)
    }
}

/// Begins a transaction that is synced when it is committed.
fn begin(database: &Database) -> Result<WriteTransaction, HistoryError> {
    let mut transaction = database.begin_write().map_err(writing)?;
    transaction.set_durability(Durability::Immediate).map_err(writing)?;
    Ok(transaction)
}

fn check_format(transaction: &mut WriteTransaction) -> Result<(), HistoryError> {
    let is_empty = transaction.list_tables().map_err(storing)?.next().is_none();
    let mut meta = transaction.open_table(META).map_err(writing)?;
    let format = meta.get(META_FORMAT).map_err(storing)?.map(|format| format.value());
    match format {
        Some(FORMAT) => Ok(()),
        None if is_empty => {
            meta.insert(META_FORMAT, FORMAT).map_err(storing)?;
            Ok(())
        }
        Some(other) => {
            let what = if other < FORMAT { "an older version, or a new file" } else { "a newer version" };
            let message =
                format!("the file has layout {other}, and this version writes {FORMAT}; use {what}");
            Err(HistoryError::new(HistoryErrorKind::Settings, message))
        }
        None => {
            let message = "the file is another application's database; choose another path";
            Err(HistoryError::new(HistoryErrorKind::Settings, message))
        }
    }
}

fn head(transaction: &WriteTransaction) -> Result<u64, HistoryError> {
    let meta = transaction.open_table(META).map_err(writing)?;
    let head = meta.get(META_HEAD).map_err(storing)?;
    Ok(head.map_or(0, |head| head.value()))
}

/// Adds a row to the table of epochs, and drops the rows that are not needed any more.
fn begin_epoch(transaction: &WriteTransaction, head: u64, oldest: u64) -> Result<EpochTable, HistoryError> {
    let mut table = transaction.open_table(EPOCHS).map_err(writing)?;
    let mut rows = Vec::new();
    for row in table.iter().map_err(storing)? {
        let (place, row) = row.map_err(storing)?;
        let (epoch, begins) = row.value();
        rows.push((place.value(), EpochRow { epoch: Epoch::from_bits(epoch), begins }));
    }
    let place = rows.last().map_or(1, |(place, _)| place + 1);
    let row = EpochRow { epoch: Epoch::random(), begins: head + 1 };
    table.insert(place, (row.epoch.to_bits(), row.begins)).map_err(storing)?;
    rows.push((place, row));
    let mut excess = rows.len().saturating_sub(EPOCHS_KEPT);
    let mut kept = Vec::with_capacity(EPOCHS_KEPT);
    for (number, &(place, row)) in rows.iter().enumerate() {
        let next = rows.get(number + 1).map_or(u64::MAX, |(_, next)| next.begins);
        // The cursor before the oldest record is still exact, so its epoch stays. An epoch without a record comes
        // from an open after which nothing was published.
        let is_needless = next < oldest || next == row.begins || rows.len() - number > MOST_EPOCHS;
        if excess > 0 && is_needless {
            excess -= 1;
            table.remove(place).map_err(storing)?;
        } else {
            kept.push(row);
        }
    }
    let rows = kept;
    EpochTable::from_rows(rows).ok_or_else(|| failure::damaged("it has no epoch"))
}

/// Makes the new file's name as durable as its contents.
fn sync_folder(path: &Path) -> Result<(), HistoryError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failure::failed("sync the file's folder", redb::Error::Io(error)))
}

/// Returns the milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
