//! The suite finds an engine that breaks one rule.

use downstream_engine::SharedHistory;
use futures_util::{Stream, StreamExt};
use sse_core::{
    Pattern,
    history::{Appended, Entry, History, HistoryBounds, HistoryError, Record, SignalReceipt, TailEvent},
};
use sse_testkit::history_cases::{Engine, block_on, records, tail};

/// What the engine does wrong.
#[derive(PartialEq, Eq)]
enum Fault {
    IgnoresKeys,
    HidesTrimming,
    SkipsRecords,
    ForgetsFinishes,
}

#[derive(Clone)]
struct Wrong<const FAULT: usize>(SharedHistory);

const FAULTS: [Fault; 4] =
    [Fault::IgnoresKeys, Fault::HidesTrimming, Fault::SkipsRecords, Fault::ForgetsFinishes];

impl<const FAULT: usize> Wrong<FAULT> {
    fn has(fault: Fault) -> bool {
        FAULTS[FAULT] == fault
    }
}

impl<const FAULT: usize> History for Wrong<FAULT> {
    async fn append(&self, mut entries: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> {
        if Self::has(Fault::IgnoresKeys) {
            entries.iter_mut().for_each(|entry| entry.key = None);
        }
        self.0.append(entries).await
    }

    async fn read(&self, after: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, HistoryError> {
        let read = self.0.read(after, limit, max_bytes).await;
        if Self::has(Fault::HidesTrimming) { Ok(read.unwrap_or_default()) } else { read }
    }

    async fn bounds(&self, patterns: &[Pattern]) -> Result<HistoryBounds, HistoryError> {
        let mut bounds = self.0.bounds(patterns).await?;
        if Self::has(Fault::ForgetsFinishes) {
            bounds.finished.clear();
        }
        Ok(bounds)
    }

    async fn signal(&self, entry: Entry) -> Result<SignalReceipt, HistoryError> {
        self.0.signal(entry).await
    }

    fn tail(&self, after: u64) -> impl Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
        self.0.tail(after).filter(|event| {
            let is_lost = Self::has(Fault::SkipsRecords)
                && matches!(event, Ok(TailEvent::Record(record)) if record.cursor.seq() % 10 == 7);
            std::future::ready(!is_lost)
        })
    }
}

impl<const FAULT: usize> Engine for Wrong<FAULT> {
    type History = Self;

    async fn start() -> Self {
        Self(SharedHistory::default())
    }

    async fn open(&self, keep: Option<u64>) -> Self {
        keep.map_or_else(|| self.clone(), |keep| Self(self.0.keeping(keep as usize)))
    }

    async fn kill(&mut self) {}

    async fn revive(&mut self) {}
}

#[test]
#[should_panic(expected = "duplicate")]
fn keys_are_ignored() {
    block_on(records::a_key_keeps_one_event_for_the_same_topics::<Wrong<0>>());
}

#[test]
#[should_panic(expected = "unwrap_err")]
fn trimming_is_hidden() {
    block_on(records::what_is_trimmed_is_an_error::<Wrong<1>>());
}

#[test]
#[should_panic(expected = "left == right")]
fn records_are_skipped() {
    block_on(tail::everything_is_told_once_and_in_order_from_any_position::<Wrong<2>>());
}

#[test]
#[should_panic(expected = "left == right")]
fn finishes_are_forgotten() {
    block_on(records::a_topic_is_finished_while_that_is_its_last_record::<Wrong<3>>());
}
