//! A process for tests: appends numbered events to a history in a file and prints each acknowledged one, until it is
//! killed or an append fails.
//!
//! `sse-file-writer PATH FIRST [BYTES]`: events are numbered from FIRST, their keys are their numbers, and each is
//! BYTES larger than its number.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sse_core::history::{FileHistory, History};
use sse_testkit::history_cases::entry;

/// Number of tasks that append.
const WRITERS: usize = 8;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().expect("a path");
    let first: u64 = args.next().expect("a number").parse().expect("a number");
    let padding = " ".repeat(args.next().map_or(0, |bytes| bytes.parse().expect("a number")));
    let history = FileHistory::open(path).expect("the file opens");
    say("open", "");
    let next = Arc::new(AtomicU64::new(first));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (history, next, padding) = (history.clone(), Arc::clone(&next), padding.clone());
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let entry = entry("a", format!("{number}{padding}")).with_key(number.to_string());
                match history.append(vec![entry]).await {
                    Ok(placed) => say("acked", &format!("{number} {}", placed[0].cursor)),
                    Err(error) => return say("failed", &format!("{:?} {error}", error.kind())),
                }
            }
        });
    }
    writers.join_all().await;
    let error = history.append(vec![entry("a", "more")]).await.expect_err("nothing more is appended");
    say("stopped", &format!("{:?} {error}", error.kind()));
    let records = history.read(0, usize::MAX, usize::MAX).await.expect("reading goes on");
    say("readable", &records.len().to_string());
}

/// Writes each line with one write, so that a killed process leaves whole lines.
fn say(what: &str, more: &str) {
    drop(std::io::stdout().lock().write_all(format!("{what} {more}\n").as_bytes()));
}
