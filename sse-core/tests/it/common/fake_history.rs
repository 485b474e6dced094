//! A history in memory whose faults a test can script: forks, trimming, silence. The real engines have their own
//! tests; here the tests check how the hub handles such faults.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures_util::{Stream, stream};
use sse_core::{
    Cursor, Pattern,
    history::{
        Appended, Entry, EntryKind, Epoch, EpochRow, EpochTable, History, HistoryBounds, HistoryError,
        HistoryErrorKind, Record, SignalReceipt, TailEvent,
    },
};
use tokio::sync::watch;

/// A handle on the history; clones share it, as processes share an engine.
#[derive(Clone)]
pub struct Scripted {
    state: Arc<Mutex<State>>,
    moved: watch::Sender<u64>,
}

struct State {
    records: Vec<Record>,
    epochs: EpochTable,
    oldest: u64,
    is_down: bool,
    /// The tails do not receive appended records.
    is_mute: bool,
    /// Appends take a while, and a later one may overtake an earlier one.
    is_slow: bool,
    /// Reads wait.
    holds_reads: bool,
    /// Records carry a check, as with an engine that may reuse a position.
    is_checked: bool,
    /// The errors of the next reads.
    refusals: VecDeque<HistoryErrorKind>,
    /// A record that reads leave out.
    hole: Option<u64>,
    /// The epoch table for the next answer, in an older state.
    late: Option<EpochTable>,
    spans: usize,
    holds: usize,
    reads: usize,
    most_read: usize,
    max_bytes: usize,
    reading: usize,
    most_reading: usize,
    signals: Vec<Entry>,
}

impl Scripted {
    pub fn new() -> Self {
        let epochs = EpochTable::starting(Epoch::random());
        let state = State {
            records: Vec::new(),
            epochs,
            oldest: 1,
            is_down: false,
            is_mute: false,
            is_slow: false,
            holds_reads: false,
            is_checked: false,
            refusals: VecDeque::new(),
            hole: None,
            late: None,
            spans: 0,
            holds: 0,
            reads: 0,
            most_read: 0,
            max_bytes: 0,
            reading: 0,
            most_reading: 0,
            signals: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), moved: watch::channel(0).0 }
    }

    /// Loses everything from `fork` on, as a failover does, and continues in a new epoch.
    pub fn fork(&self, fork: u64) {
        let mut state = self.lock();
        let keep = usize::try_from(fork - 1).expect("small");
        state.records.truncate(keep);
        state.epochs.push(EpochRow::new(Epoch::random(), fork));
        drop(state);
        self.tell();
    }

    /// A copy of its current state.
    pub fn copy(&self) -> (Vec<Record>, EpochTable) {
        let state = self.lock();
        (state.records.clone(), state.epochs.clone())
    }

    /// Restores a copy, and begins a new epoch because the copy lacks known records.
    pub fn put_back(&self, (records, mut epochs): (Vec<Record>, EpochTable)) {
        let begins = records.len() as u64 + 1;
        epochs.push(EpochRow::new(Epoch::random(), begins));
        let mut state = self.lock();
        (state.records, state.epochs) = (records, epochs);
        drop(state);
        self.tell();
    }

    /// Answers the next query with this table.
    pub fn answer_late(&self, epochs: EpochTable) {
        self.lock().late = Some(epochs);
    }

    pub fn trim(&self, oldest: u64) {
        self.lock().oldest = oldest;
    }

    pub fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
        self.tell();
    }

    pub fn set_mute(&self, is_mute: bool) {
        self.lock().is_mute = is_mute;
        self.tell();
    }

    pub fn hold_reads(&self, holds_reads: bool) {
        self.lock().holds_reads = holds_reads;
    }

    pub fn set_slow(&self, is_slow: bool) {
        self.lock().is_slow = is_slow;
    }

    pub fn set_checked(&self, is_checked: bool) {
        self.lock().is_checked = is_checked;
    }

    /// Replaces the record at this position with another, without a new epoch.
    pub fn replace(&self, seq: u64) {
        let mut state = self.lock();
        let place = usize::try_from(seq - 1).expect("small");
        let record = state.records.get_mut(place).expect("a record");
        record.cursor = record.cursor.with_checksum(record.cursor.checksum().unwrap_or_default() + 1);
    }

    /// Answers the next read with this error.
    pub fn refuse(&self, kind: HistoryErrorKind) {
        self.lock().refusals.push_back(kind);
    }

    /// Leaves out this record, which a correct engine never does.
    pub fn leave_out(&self, seq: u64) {
        self.lock().hole = Some(seq);
    }

    /// Number of queries for its bounds, and of queries whether it still holds a record.
    pub fn asked(&self) -> (usize, usize) {
        let state = self.lock();
        (state.spans, state.holds)
    }

    /// Maximum number of records requested at once.
    pub fn most_read(&self) -> usize {
        self.lock().most_read
    }

    /// Maximum number of bytes read at once.
    pub fn max_bytes(&self) -> usize {
        self.lock().max_bytes
    }

    /// Number of reads.
    pub fn reads(&self) -> usize {
        self.lock().reads
    }

    /// Maximum number of reads at the same moment.
    pub fn most_reading(&self) -> usize {
        self.lock().most_reading
    }

    pub fn head(&self) -> u64 {
        self.lock().head()
    }

    fn tell(&self) {
        self.moved.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }
}

impl State {
    fn head(&self) -> u64 {
        self.records.len() as u64
    }

    fn check(&self) -> Result<(), HistoryError> {
        let down = || HistoryError::new(HistoryErrorKind::Unavailable, "scripted to be away");
        if self.is_down { Err(down()) } else { Ok(()) }
    }
}

impl History for Scripted {
    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        let pauses = if self.lock().is_slow { fastrand::usize(..10) } else { 0 };
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
        let mut appended = Vec::new();
        {
            let mut state = self.lock();
            state.check()?;
            for entry in entries {
                let seq = state.head() + 1;
                let mut cursor = Cursor::new(state.epochs.current(), seq);
                if state.is_checked {
                    cursor = cursor.with_checksum(u32::try_from(seq).expect("small"));
                }
                state.records.push(Record::new(cursor, entry.topics, entry.kind, entry.lines));
                appended.push(Appended::new(cursor));
            }
        }
        self.tell();
        Ok(appended)
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        {
            let mut state = self.lock();
            state.reading += 1;
            state.most_reading = state.most_reading.max(state.reading);
        }
        tokio::task::yield_now().await;
        while self.lock().holds_reads {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let mut state = self.lock();
        state.reading -= 1;
        state.check()?;
        state.reads += 1;
        state.most_read = state.most_read.max(limit);
        if let Some(kind) = state.refusals.pop_front() {
            return Err(HistoryError::new(kind, "scripted to refuse"));
        }
        if after + 1 < state.oldest {
            return Err(HistoryError::new(HistoryErrorKind::Trimmed, "scripted to be trimmed"));
        }
        let after = usize::try_from(after).expect("small");
        let kept = state.records.iter().skip(after).filter(|record| Some(record.cursor.seq()) != state.hole);
        let mut bytes: usize = 0;
        let fits = |record: &&Record| {
            let is_first = bytes == 0;
            bytes += record.lines.len();
            is_first || bytes <= max_bytes
        };
        let records: Vec<_> = kept.take(limit).take_while(fits).cloned().collect();
        let bytes = records.iter().map(|record| record.lines.len()).sum();
        state.max_bytes = state.max_bytes.max(bytes);
        Ok(records)
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        let mut state = self.lock();
        state.check()?;
        state.spans += 1;
        let of =
            |record: &&Record, pattern: &Pattern| record.topics.iter().any(|topic| pattern.matches(topic));
        let (mut last, mut trimmed) = (0, 0);
        let mut finished = Vec::new();
        for pattern in patterns {
            let gone = |record: &&Record| of(record, pattern) && record.cursor.seq() < state.oldest;
            let gone = state.records.iter().rev().find(gone).map(|record| record.cursor.seq());
            trimmed = gone.max(Some(trimmed)).unwrap_or(trimmed);
            let Some(record) = state.records.iter().rev().find(|record| of(record, pattern)) else {
                continue;
            };
            last = last.max(record.cursor.seq());
            if let (EntryKind::Finish, Ok(topic)) = (record.kind, pattern.clone().into_topic()) {
                finished.push((topic, record.cursor));
            }
        }
        let epochs = state.late.take().unwrap_or_else(|| state.epochs.clone());
        let (oldest, head) = (state.oldest, state.head());
        let mut bounds = HistoryBounds::new(oldest, head, epochs);
        (bounds.last, bounds.trimmed, bounds.finished) = (last, trimmed, finished);
        Ok(bounds)
    }

    async fn verify(&self, cursor: Cursor) -> Result<bool, HistoryError> {
        let mut state = self.lock();
        state.check()?;
        state.holds += 1;
        let place = usize::try_from(cursor.seq() - 1).expect("small");
        Ok(state.records.get(place).is_some_and(|record| record.cursor == cursor))
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        let mut state = self.lock();
        state.check()?;
        state.signals.push(entry);
        drop(state);
        self.tell();
        Ok(SignalReceipt::new(None))
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        let (epochs, signals) = {
            let state = self.lock();
            (state.epochs.clone(), state.signals.len())
        };
        let tail = Tail { history: self.clone(), after, epochs, signals, was_down: false };
        stream::unfold((tail, self.moved.subscribe()), |(mut tail, mut moved)| async move {
            loop {
                moved.borrow_and_update();
                if let Some(change) = tail.next() {
                    return Some((change, (tail, moved)));
                }
                if moved.changed().await.is_err() {
                    return None;
                }
            }
        })
    }
}

struct Tail {
    history: Scripted,
    after: u64,
    epochs: EpochTable,
    signals: usize,
    was_down: bool,
}

impl Tail {
    fn next(&mut self) -> Option<Result<TailEvent, HistoryError>> {
        let state = self.history.lock();
        if let Err(error) = state.check() {
            return (!std::mem::replace(&mut self.was_down, true)).then_some(Err(error));
        }
        if std::mem::take(&mut self.was_down) {
            return Some(Ok(TailEvent::Recovered));
        }
        if state.is_mute {
            return None;
        }
        if state.epochs != self.epochs {
            let former = std::mem::replace(&mut self.epochs, state.epochs.clone());
            let replaced = |seq: &u64| former.at(*seq) != self.epochs.at(*seq);
            self.after = (1..=self.after).find(replaced).map_or(self.after, |seq| seq - 1);
            return Some(Ok(TailEvent::EpochTable(self.epochs.clone())));
        }
        if let Some(signal) = state.signals.get(self.signals) {
            self.signals += 1;
            return Some(Ok(TailEvent::Signal(signal.clone())));
        }
        let record = state.records.get(usize::try_from(self.after).expect("small"))?;
        self.after += 1;
        Some(Ok(TailEvent::Record(record.clone())))
    }
}

/// Lets other tasks run until `done` returns true.
pub async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("did not come about");
}
