use std::collections::{BTreeMap, HashMap, VecDeque};

use sse_core::{
    Cursor, Pattern, Topic,
    history::{Appended, Entry, EntryKind, Epoch, EpochTable, HistoryBounds, Record},
};

/// The records, and what is known of each topic although its records were trimmed.
#[derive(Debug)]
pub(crate) struct Store {
    epochs: EpochTable,
    records: VecDeque<Record>,
    head: u64,
    topics: BTreeMap<Topic, Known>,
    keys: HashMap<(Vec<Topic>, String), Cursor>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    last: Cursor,
    is_finished: bool,
    /// The last trimmed position, or 0.
    trimmed: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            epochs: EpochTable::starting(Epoch::random()),
            records: VecDeque::new(),
            head: 0,
            topics: BTreeMap::new(),
            keys: HashMap::new(),
        }
    }
}

impl Store {
    pub(crate) fn oldest(&self) -> u64 {
        self.head + 1 - self.records.len() as u64
    }

    pub(crate) fn append(&mut self, entry: Entry) -> Appended {
        let Entry { topics, kind, lines, key, .. } = entry;
        let cursor = self.epochs.cursor(self.head + 1);
        if let Some(key) = key {
            let first = *self.keys.entry((topics.clone(), key)).or_insert(cursor);
            if first != cursor {
                return Appended::duplicate_of(first);
            }
        }
        self.head += 1;
        for topic in &topics {
            let trimmed = self.topics.get(topic).map_or(0, |known| known.trimmed);
            let known = Known { last: cursor, is_finished: kind == EntryKind::Finish, trimmed };
            self.topics.insert(topic.clone(), known);
        }
        self.records.push_back(Record::new(cursor, topics, kind, lines));
        Appended::new(cursor)
    }

    /// Removes the oldest records, so that `keep` are left.
    pub(crate) fn trim(&mut self, keep: usize) {
        while self.records.len() > keep
            && let Some(record) = self.records.pop_front()
        {
            for topic in &record.topics {
                if let Some(known) = self.topics.get_mut(topic) {
                    known.trimmed = record.cursor.seq();
                }
            }
        }
    }

    /// Returns the records after a position, or `None` if the next one was trimmed.
    pub(crate) fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Option<Vec<Record>> {
        let skipped = (after + 1).checked_sub(self.oldest())? as usize;
        let mut bytes: usize = 0;
        let records = self.records.iter().skip(skipped).take(limit).enumerate();
        let fitting = records.take_while(|(number, record)| {
            bytes = bytes.saturating_add(record.lines.len());
            *number == 0 || bytes <= max_bytes
        });
        Some(fitting.map(|(_, record)| record.clone()).collect())
    }

    pub(crate) fn bounds(&self, patterns: &[Pattern]) -> HistoryBounds {
        let is_requested = |topic: &Topic| patterns.iter().any(|pattern| pattern.matches(topic));
        let known = || self.topics.iter().filter(|(topic, _)| is_requested(topic));
        let is_exact = |topic: &Topic| patterns.iter().any(|pattern| pattern.as_str() == topic.as_str());
        let mut bounds = HistoryBounds::new(self.oldest(), self.head, self.epochs.clone());
        bounds.last = known().map(|(_, known)| known.last.seq()).max().unwrap_or(0);
        bounds.trimmed = known().map(|(_, known)| known.trimmed).max().unwrap_or(0);
        bounds.finished = known()
            .filter(|(topic, known)| known.is_finished && is_exact(topic))
            .map(|(topic, known)| (topic.clone(), known.last))
            .collect();
        bounds
    }
}
