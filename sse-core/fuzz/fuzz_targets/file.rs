//! A history's file, altered: it is reported, or what is read is what was written; never anything else.
#![no_main]

use std::{path::PathBuf, sync::LazyLock};

use arbitrary::Arbitrary;
use libfuzzer_sys::{Corpus, fuzz_target};
use sse_core::{Event, Frame, Topic, history::{Entry, FileHistory, History, Record}};
use tempfile::TempDir;

#[derive(Debug, Arbitrary)]
enum Alteration {
    Flip { at: u32, mask: u8 },
    Fill { at: u32, length: u16, value: u8 },
    Copy { from: u32, to: u32, length: u16 },
    Truncate { length: u32 },
}

struct Written {
    runtime: tokio::runtime::Runtime,
    folder: TempDir,
    bytes: Vec<u8>,
    records: Vec<Record>,
}

fn entry(number: usize) -> Entry {
    let topic = Topic::new(if number % 3 == 0 { "a" } else { "b.c" }).expect("a topic");
    let frame = Frame::try_from(Event::message(format!("event {number}"))).expect("a frame");
    let lines = frame.bytes().slice(..frame.bytes().len() - 1);
    Entry::event(vec![topic], lines)
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    // In memory where that is possible, because each input is synced.
    let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder");
    let path = folder.path().join("good");
    let records = runtime.block_on(async {
        // Two epochs, several commits.
        for commit in 0..6 {
            let history = FileHistory::open(&path).expect("opened");
            history.append((0..10).map(|number| entry(commit * 10 + number)).collect()).await.expect("appended");
        }
        FileHistory::open(&path).expect("opened").read(0, 1_000, usize::MAX).await.expect("read")
    });
    assert_eq!(records.len(), 60);
    Written { bytes: std::fs::read(&path).expect("readable"), runtime, folder, records }
});

impl Alteration {
    fn apply(&self, bytes: &mut Vec<u8>) {
        // Most of the file is room that nothing uses yet.
        let place = |at: u32| at as usize % bytes.len().max(1);
        match *self {
            Self::Flip { at, mask } => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= mask);
            }
            Self::Fill { at, length, value } => {
                let at = place(at);
                bytes.iter_mut().skip(at).take(length.into()).for_each(|byte| *byte = value);
            }
            Self::Copy { from, to, length } => {
                let (from, to) = (place(from), place(to));
                let copied: Vec<_> = bytes.iter().skip(from).take(length.into()).copied().collect();
                bytes.iter_mut().skip(to).zip(copied).for_each(|(byte, copy)| *byte = copy);
            }
            Self::Truncate { length } => {
                let length = place(length);
                bytes.truncate(length);
            }
        }
    }
}

fn check(alterations: &[Alteration]) -> Corpus {
    let Written { runtime, folder, bytes, records } = &*WRITTEN;
    let mut altered = bytes.clone();
    alterations.iter().for_each(|alteration| alteration.apply(&mut altered));
    let path: PathBuf = folder.path().join("altered");
    std::fs::write(&path, &altered).expect("written");
    runtime.block_on(async {
        let Ok(history) = FileHistory::open(&path) else { return };
        let Ok(read) = history.read(0, 1_000, usize::MAX).await else { return };
        // An older commit that is whole is what a restored copy would be, a later beginning is told as trimmed, and an
        // epoch under another name as a gap.
        let same = |one: &Record, other: &Record| {
            one.cursor.seq() == other.cursor.seq() && one.topics == other.topics && one.lines == other.lines
        };
        let is_part = read.is_empty()
            || records.windows(read.len()).any(|part| part.iter().zip(&read).all(|(one, other)| same(one, other)));
        assert!(is_part, "{} records, not those that were written", read.len());
        if let Ok(appended) = history.append(vec![entry(99)]).await {
            let cursor = appended.first().expect("one").cursor;
            assert!(records.iter().all(|record| record.cursor != cursor), "{cursor} was given twice");
        }
    });
    Corpus::Keep
}

fuzz_target!(
    init: {
        // The storage engine panics over some pages that were altered behind its back, and the history catches that: only
        // what leaves `check` is a finding.
        std::panic::set_hook(Box::new(|_| {}));
        LazyLock::force(&WRITTEN);
    },
    |alterations: Vec<Alteration>| -> Corpus { check(&alterations) }
);
