//! A history in a file whose process is killed, whose disk is full, or whose file is altered.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use sse_core::{
    GapReason, Hub, Retention,
    history::{FileHistory, History, HistoryErrorKind, Record},
};
use sse_testkit::history_cases::{appended, data, entry, next, texts};
use tempfile::TempDir;

const WRITER: &str = env!("CARGO_BIN_EXE_sse-file-writer");

/// How often the process is killed; `SSE_KILLS=200` runs the long form.
fn kills() -> usize {
    std::env::var("SSE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(5)
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok)
}

fn writer(path: &Path, first: u64) -> Child {
    Command::new(WRITER).arg(path).arg(first.to_string()).stdout(Stdio::piped()).spawn().unwrap()
}

async fn all(history: &FileHistory) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let more = history.read(records.len() as u64, 10_000, usize::MAX).await.unwrap();
        if more.is_empty() {
            return records;
        }
        records.extend(more);
    }
}

#[tokio::test]
async fn g6_g7_a_kill_under_load_loses_nothing_acknowledged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.redb");
    let mut acked: HashMap<u64, String> = HashMap::new();
    let mut epochs = HashSet::new();
    let kills = kills();
    for kill in 0..kills {
        // The first unacknowledged event is published again under its key.
        let first = (0..).find(|number| !acked.contains_key(number)).unwrap();
        let mut child = writer(&path, first);
        let wanted = acked.len() + 20 + fastrand::usize(..200);
        for line in lines(&mut child) {
            if let Some((number, id)) = line.strip_prefix("acked ").and_then(|line| line.split_once(' ')) {
                let number = number.parse().unwrap();
                let known = acked.entry(number).or_insert_with(|| id.to_owned());
                assert_eq!(known, id, "{number} was published twice");
            }
            if acked.len() >= wanted {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let history = FileHistory::open(&path).unwrap();
        let records = all(&history).await;
        let mut numbers = HashMap::new();
        for (place, (record, text)) in records.iter().zip(texts(&records)).enumerate() {
            assert_eq!(record.cursor.seq(), place as u64 + 1);
            let number: u64 = text.parse().unwrap();
            let twice = numbers.insert(number, record.cursor.to_string());
            assert!(twice.is_none(), "{number} is kept twice after kill {kill}");
        }
        for (number, id) in &acked {
            assert_eq!(numbers.get(number), Some(id), "{number} was acknowledged, kill {kill}");
        }
        let table = history.bounds(&[]).await.unwrap().epochs;
        assert!(epochs.insert(table.current()), "an epoch was begun twice");
        assert!(records.iter().all(|record| record.cursor.epoch() == table.at(record.cursor.seq())));
    }
    println!("{kills} kills, {} acknowledged, 0 lost, 0 twice", acked.len());
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.redb");
    let mut child = writer(&path, 0);
    let mut said = lines(&mut child);
    assert_eq!(said.next().as_deref(), Some("open "));
    let error = FileHistory::open(&path).unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Unavailable);
    assert!(error.to_string().contains("open already"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    FileHistory::open(&path).unwrap();
}

#[tokio::test]
async fn a_failed_write_ends_appending_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.redb");
    // A limit on the size of files acts as a full disk; the signal is ignored so that the write fails.
    let script = "trap '' XFSZ; ulimit -f 4000; exec \"$0\" \"$@\"";
    let mut child = Command::new("bash")
        .args(["-c", script, WRITER])
        .arg(&path)
        .args(["0", "20000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said: Vec<String> = lines(&mut child).collect();
    assert!(child.wait().unwrap().success(), "{:?}", said.last());
    let of = |what: &str| -> Vec<&str> { said.iter().filter_map(|line| line.strip_prefix(what)).collect() };
    let acked = of("acked ");
    let failed = of("failed ");
    assert_eq!(failed.len(), 8, "each writer was told: {failed:?}");
    assert!(
        failed.iter().all(|line| line.starts_with("Unavailable") || line.starts_with("Uncertain")),
        "{failed:?}"
    );
    let stopped = of("stopped ");
    assert!(
        stopped[0].starts_with("Unavailable") && stopped[0].contains("open the file again"),
        "{stopped:?}"
    );
    assert!(of("readable ")[0].parse::<usize>().unwrap() >= acked.len());
    let history = FileHistory::open(&path).unwrap();
    let kept: Vec<String> =
        texts(&all(&history).await).iter().map(|text| text.trim_end().to_owned()).collect();
    let unique: HashSet<&String> = kept.iter().collect();
    assert_eq!(unique.len(), kept.len());
    for line in acked {
        let (number, _) = line.split_once(' ').unwrap();
        assert!(unique.contains(&number.to_owned()), "{number} was acknowledged");
    }
    appended(&history, entry("a", "more")).await;
}

#[tokio::test]
async fn g7_a_restored_copy_reuses_no_id_and_reports_the_fork() {
    let folder = TempDir::new().unwrap();
    let (path, copy) = (folder.path().join("events.redb"), folder.path().join("copy.redb"));
    let append = async |history: &FileHistory, from: u64, to: u64| {
        let mut ids = Vec::new();
        for n in from..to {
            ids.push(appended(history, entry("a", n)).await.cursor);
        }
        ids
    };
    let history = FileHistory::open(&path).unwrap();
    let mut ids = append(&history, 0, 10).await;
    drop(history);
    std::fs::copy(&path, &copy).unwrap();
    let history = FileHistory::open(&path).unwrap();
    ids.extend(append(&history, 10, 20).await);
    drop(history);
    std::fs::rename(&copy, &path).unwrap();
    let history = FileHistory::open(&path).unwrap();
    let new = append(&history, 30, 40).await;
    assert!(new.iter().all(|id| !ids.contains(id)));
    let hub = Hub::open(history).await.unwrap();
    let mut before = hub.subscribe("a").after(ids[4]).await.unwrap();
    assert!(before.gap().is_none(), "{:?}", before.resume());
    let expected: Vec<String> = (5..10).chain(30..40).map(|n: u64| n.to_string()).collect();
    assert_eq!(data(&mut before, 15).await, expected);
    // The original began its second epoch at 11, which this file never had.
    let mut after = hub.subscribe("a").after(ids[14]).start(sse_core::Start::Earliest).await.unwrap();
    assert_eq!(after.gap().map(|gap| gap.reason), Some(GapReason::Epoch));
    assert_eq!(next(&mut after).await.event_type(), "sse.gap");
}

#[tokio::test]
async fn an_altered_file_is_reported_and_never_read_wrongly() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.redb");
    let history = FileHistory::builder().retention(Retention::default()).open(&path).unwrap();
    for n in 0..30 {
        history.append((0..10).map(|m| entry("a", format!("{n}.{m}"))).collect()).await.unwrap();
    }
    let good = all(&history).await;
    drop(history);
    let bytes = std::fs::read(&path).unwrap();
    let mut reported = 0;
    for round in 0..40 {
        let mut altered = bytes.clone();
        match round {
            0 => altered.truncate(bytes.len() / 2),
            1 => altered = b"not a history at all, but some text that somebody left here".repeat(100),
            2 => altered[..512].fill(0),
            // In the part with the records, so that the alteration is detected.
            _ => {
                let at = memchr(&bytes, format!("data: {}.", round % 30).as_bytes());
                altered[at + fastrand::usize(..16)] ^= 1 << fastrand::u8(..8);
            }
        }
        std::fs::write(&path, &altered).unwrap();
        let opened = FileHistory::open(&path);
        let read = match &opened {
            Ok(history) => history.read(0, 1_000, usize::MAX).await,
            Err(error) => Err(error.clone()),
        };
        match read {
            Ok(records) => assert_eq!(records, good, "round {round}"),
            Err(error) => {
                reported += 1;
                assert_eq!(error.kind(), HistoryErrorKind::Damaged, "round {round}: {error}");
                assert!(error.to_string().contains("move it away"), "{error}");
            }
        }
        drop(opened);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(reported >= 10, "{reported} of 40 alterations were reported");
}

/// The start of the last occurrence of `needle`.
fn memchr(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).rposition(|window| window == needle).unwrap()
}
