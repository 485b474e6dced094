//! A soak test: many readers for a long time. A tenth of them is cut each minute and resumes, and some stop reading
//! altogether.
//!
//! `sse-soak APPLICATION [--readers 10000] [--minutes 3] [--rate 2] [--stalled 100]` starts the application on a
//! free port and prints its memory each half minute. It exits with 1 if a reader missed an event, got one twice or
//! out of order, or got a gap; if the memory of the last third differs from that of the second; or if connections
//! were left over. Without `--readers` there are as many as the limit of open files allows, at most 10,000.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    net::SocketAddr,
    pin::pin,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sse_bench::load::{self, Application, Asking, PATIENCE, numbers};
use sse_core::decode::Decoder;
use sse_testkit::Chunks;
use tokio::time::{sleep, sleep_until, timeout};

/// Fraction of the readers that are cut each minute, on average.
const CUT_A_MINUTE: f64 = 0.1;

/// How long a stalled reader does not read before another replaces it: longer than the hub's limit.
const STALLS_FOR: Duration = Duration::from_secs(75);

/// Size of the events for the stalled readers, sent four times a second: their buffers are full within seconds.
const BULK_BYTES: usize = 64 << 10;

/// Files that the process has open in addition to its connections.
const SPARE_FILES: u64 = 300;

struct Options {
    application: String,
    readers: u64,
    minutes: f64,
    rate: f64,
    stalled: u64,
}

/// Counters of all readers together.
#[derive(Default)]
struct Counts {
    events: AtomicU64,
    cuts: AtomicU64,
    lost: AtomicU64,
    twice: AtomicU64,
    gaps: AtomicU64,
    refused: AtomicU64,
    /// No more cuts: the run is near its end.
    is_ending: AtomicBool,
    /// The last number, after it is published.
    goal: AtomicU64,
}

fn most_files() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("readable");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("the limit");
    line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).unwrap_or(1 << 20)
}

fn options() -> Option<Options> {
    let known = [("--readers", 0.0), ("--minutes", 3.0), ("--rate", 2.0), ("--stalled", 100.0)];
    let (application, [readers, minutes, rate, stalled]) = numbers(std::env::args().skip(1), known)?;
    let stalled = stalled as u64;
    let possible = most_files().saturating_sub(stalled + SPARE_FILES);
    let readers = if readers > 0.0 { readers as u64 } else { possible.min(10_000) };
    Some(Options { application, readers, minutes, rate, stalled })
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: sse-soak APPLICATION [--readers N] [--minutes M] [--rate EVENTS_A_SECOND] [--stalled N]"
        );
        return ExitCode::from(2);
    };
    let mut application = Application::start(&options.application, &["--retain", "200"]).await;
    let address = application.address();
    let files = application.open_files();
    let counts = Arc::new(Counts::default());
    let publishing = tokio::spawn(publish(address, options.rate, Arc::clone(&counts)));
    let bulk = tokio::spawn(publish_bulk(address));
    let mut readers = Vec::new();
    for seed in 0..options.readers {
        readers.push(tokio::spawn(read(seed, address, Arc::clone(&counts))));
        if seed % 50 == 49 {
            sleep(Duration::from_millis(50)).await;
        }
    }
    let stalled: Vec<_> = (0..options.stalled).map(|seed| tokio::spawn(stall(seed, address))).collect();
    wait_for(&application, options.readers - options.readers / 50).await;
    let resident = watch(&application, &options, &counts).await;
    stalled.iter().for_each(tokio::task::JoinHandle::abort);
    bulk.abort();
    counts.is_ending.store(true, Ordering::Release);
    // Readers that have just been cut are back by then.
    wait_for(&application, options.readers).await;
    let published = publishing.await.expect("published");
    for reader in readers {
        reader.await.expect("a reader");
    }
    let dropped = application.stats().await["slow_readers_dropped"].as_u64().expect("a number");
    let left_over = settle(&application, files).await;
    let (took, exit) = application.terminate().await;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (second, last) = (thirds(&resident, 1), thirds(&resident, 2));
    println!(
        "{published} events to {} readers for {} min: {} read, {} cuts, {} lost, {} twice or out of order, {} gaps, {} refused; \
         {dropped} of the {} stalled at a time dropped by the hub, the others by the kernel; memory {:.1} MiB in the second third, {:.1} in the last; {left_over} \
         connections left over; exit {exit:?} after {took:.2?}",
        options.readers,
        options.minutes,
        count(&counts.events),
        count(&counts.cuts),
        count(&counts.lost),
        count(&counts.twice),
        count(&counts.gaps),
        count(&counts.refused),
        options.stalled,
        second / 1_048_576.0,
        last / 1_048_576.0,
    );
    let faults = count(&counts.lost) + count(&counts.twice) + count(&counts.gaps) + count(&counts.refused);
    let is_flat = last < second * 1.05 + 4.0 * 1_048_576.0;
    if faults == 0 && is_flat && left_over == 0 && exit == Some(0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Waits until that many readers are connected, except those that have just been cut.
async fn wait_for(application: &Application, readers: u64) {
    let began_at = Instant::now();
    while began_at.elapsed() < 4 * PATIENCE {
        if application.stats().await["readers"]["soak"].as_u64() >= Some(readers) {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    println!("{} instead of {readers} readers", application.stats().await["readers"]["soak"]);
}

/// Prints and collects the application's memory until the time is over.
async fn watch(application: &Application, options: &Options, counts: &Counts) -> Vec<u64> {
    let began_at = Instant::now();
    let end = began_at + Duration::from_secs_f64(options.minutes * 60.0);
    let mut resident = Vec::new();
    let mut told_at = began_at;
    while Instant::now() < end {
        resident.push(application.resident());
        if told_at <= Instant::now() {
            told_at += Duration::from_secs(30);
            println!(
                "{:5.1} min: {:.1} MiB, {} files, {} readers, {} events read, {} cuts",
                began_at.elapsed().as_secs_f64() / 60.0,
                application.resident() as f64 / 1_048_576.0,
                application.open_files(),
                application.stats().await["readers"]["soak"],
                counts.events.load(Ordering::Relaxed),
                counts.cuts.load(Ordering::Relaxed),
            );
        }
        sleep(Duration::from_secs(1)).await;
    }
    resident
}

/// The mean of one third of the samples.
fn thirds(samples: &[u64], third: usize) -> f64 {
    let length = samples.len() / 3;
    let part: Vec<_> = samples.iter().skip(third * length).take(length).collect();
    part.iter().map(|bytes| **bytes as f64).sum::<f64>() / part.len().max(1) as f64
}

/// How many more connections the application has than at its start, after all readers have left.
async fn settle(application: &Application, files: usize) -> usize {
    let began_at = Instant::now();
    // The connection that asks, and one whose close the kernel has not reported yet.
    while application.open_files() > files + 2 && began_at.elapsed() < PATIENCE {
        sleep(Duration::from_millis(100)).await;
    }
    application.open_files().saturating_sub(files + 2)
}

/// Publishes numbers until the end, and then one more; returns the last.
async fn publish(address: SocketAddr, rate: f64, counts: Arc<Counts>) -> u64 {
    let mut asking = Asking::connect(address).await;
    let began_at = Instant::now();
    let mut number = 0_u64;
    while !counts.is_ending.load(Ordering::Acquire) {
        number += 1;
        asking.publish("soak", &number.to_string()).await;
        sleep_until((began_at + Duration::from_secs_f64(number as f64 / rate)).into()).await;
    }
    // A reader that was cut shortly before may still be disconnected.
    sleep(Duration::from_secs(10)).await;
    number += 1;
    asking.publish("soak", &number.to_string()).await;
    counts.goal.store(number, Ordering::Release);
    number
}

async fn publish_bulk(address: SocketAddr) {
    let mut asking = Asking::connect(address).await;
    let text = "x".repeat(BULK_BYTES);
    loop {
        asking.publish("bulk", &text).await;
        sleep(Duration::from_millis(250)).await;
    }
}

/// Reads until the last number; is cut now and then, and reconnects after a moment.
async fn read(seed: u64, address: SocketAddr, counts: Arc<Counts>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cursor = String::new();
    let mut seen = None;
    loop {
        let Ok(mut stream) = load::open(address, "/events?topic=soak", &cursor).await else {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(500)).await;
            continue;
        };
        // A cut is equally likely in each minute.
        let minutes = -(1.0 - random.f64()).ln() / CUT_A_MINUTE;
        let leaves_at = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
        let is_done = {
            let mut reading = pin!(read_events(&mut stream, &counts, &mut cursor, &mut seen));
            tokio::select! {
                is_done = &mut reading => is_done,
                () = sleep_until(leaves_at.into()) => counts.is_ending.load(Ordering::Acquire) && reading.await,
            }
        };
        if is_done {
            return;
        }
        if counts.goal.load(Ordering::Acquire) > 0 {
            counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        drop(stream);
        counts.cuts.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(random.u64(..3_000))).await;
    }
}

/// Reads until the stream ends; returns whether the last number was seen.
async fn read_events(
    stream: &mut Chunks,
    counts: &Counts,
    cursor: &mut String,
    seen: &mut Option<u64>,
) -> bool {
    let mut decoder = Decoder::new();
    // A keep-alive comes every 15 s.
    while let Ok(Some(bytes)) = timeout(PATIENCE, stream.next()).await {
        for message in decoder.messages(&mut &*bytes) {
            let message = message.expect("decodable");
            if message.event_type() == "sse.gap" {
                counts.gaps.fetch_add(1, Ordering::Relaxed);
            } else if !message.event_type().starts_with("sse.") {
                let number: u64 = message.data().parse().expect("a number");
                counts.events.fetch_add(1, Ordering::Relaxed);
                match *seen {
                    Some(last) if number <= last => {
                        counts.twice.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(last) => {
                        counts.lost.fetch_add(number - last - 1, Ordering::Relaxed);
                    }
                    None => {}
                }
                *seen = (*seen).max(Some(number));
            }
            message.last_event_id().clone_into(cursor);
        }
        let goal = counts.goal.load(Ordering::Acquire);
        if goal > 0 && *seen >= Some(goal) {
            return true;
        }
    }
    false
}

/// A reader that takes its first bytes and nothing more; another follows it.
async fn stall(seed: u64, address: SocketAddr) {
    let mut random = fastrand::Rng::with_seed(seed);
    sleep(Duration::from_millis(random.u64(..10_000))).await;
    loop {
        if let Ok(mut stream) = Chunks::narrow(address, "/events?topic=bulk", 16 << 10).await {
            stream.next().await;
            sleep(STALLS_FOR).await;
        }
        sleep(Duration::from_millis(random.u64(..1_000))).await;
    }
}
