//! A storm against an example application: readers that are cut at random and resume while events are published,
//! then a SIGTERM while all of them are idle.
//!
//! `sse-storm APPLICATION [--readers 1000] [--seconds 60] [--rate 500] [--drain 5]` starts the application on a
//! free port, prints the results in one line, and exits with 1 if an event was lost, came twice or out of order, if
//! a stream did not end cleanly, or if the application did not end in time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sse_bench::load::{Application, PATIENCE, numbers, open};
use sse_core::decode::Decoder;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedReadHalf},
    time::timeout,
};

struct Options {
    application: String,
    readers: u64,
    seconds: f64,
    rate: f64,
    drain: f64,
}

/// Counters of all readers together.
#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    events: AtomicU64,
    lost: AtomicU64,
    twice: AtomicU64,
    gaps: AtomicU64,
    refused: AtomicU64,
}

fn options() -> Option<Options> {
    let known = [("--readers", 1_000.0), ("--seconds", 60.0), ("--rate", 500.0), ("--drain", 5.0)];
    let (application, [readers, seconds, rate, drain]) = numbers(std::env::args().skip(1), known)?;
    Some(Options { application, readers: readers as u64, seconds, rate, drain })
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: sse-storm APPLICATION [--readers N] [--seconds S] [--rate EVENTS_A_SECOND] [--drain S]"
        );
        return ExitCode::from(2);
    };
    let flags = ["--retain", "1000000", "--drain", &options.drain.to_string()];
    let mut application = Application::start(&options.application, &flags).await;
    let address = application.address();
    let counts = Arc::new(Counts::default());
    let began_at = Instant::now();
    let published = storm(&options, address, &counts).await;
    let lasted = began_at.elapsed();
    let (clean, took, exit) = shutdown(&options, &mut application).await;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{published} events published and read in {lasted:.1?}; {} readers, {} connections, {} events read: {} lost, {} twice or out of order, \
         {} gaps, {} refused; SIGTERM with {} idle streams: {clean} ended cleanly, exit {exit:?} after {took:.2?} \
         (window {} s)",
        options.readers,
        count(&counts.connections),
        count(&counts.events),
        count(&counts.lost),
        count(&counts.twice),
        count(&counts.gaps),
        count(&counts.refused),
        options.readers,
        options.drain,
    );
    let faults = count(&counts.lost) + count(&counts.twice) + count(&counts.gaps) + count(&counts.refused);
    let in_time = took < Duration::from_secs_f64(options.drain + 1.0);
    if faults == 0 && published > 0 && clean == options.readers && exit == Some(0) && in_time {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Publishes at the rate while readers come and go; returns the number of events.
async fn storm(options: &Options, address: SocketAddr, counts: &Arc<Counts>) -> u64 {
    let over = Arc::new(AtomicBool::new(false));
    let last = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..options.readers)
        .map(|seed| {
            tokio::spawn(read_until_over(
                seed,
                address,
                Arc::clone(counts),
                Arc::clone(&over),
                Arc::clone(&last),
            ))
        })
        .collect();
    let published = publish(options, address).await;
    last.store(published, Ordering::Release);
    over.store(true, Ordering::Release);
    for reader in readers {
        reader.await.expect("a reader");
    }
    published
}

/// Publishes on one connection without waiting for each answer, so that the rate holds on a busy machine; returns how
/// many events were acknowledged, which is all of them.
async fn publish(options: &Options, address: SocketAddr) -> u64 {
    let stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("without delay");
    let (answers, mut requests) = stream.into_split();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let reading = tokio::spawn(count_answers(BufReader::new(answers), Arc::clone(&acknowledged)));
    let began_at = Instant::now();
    let mut number = 0_u64;
    while began_at.elapsed().as_secs_f64() < options.seconds {
        number += 1;
        let body = number.to_string();
        let request = format!(
            "POST /publish?topic=storm HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        requests.write_all(request.as_bytes()).await.expect("written");
        let due = began_at + Duration::from_secs_f64(number as f64 / options.rate);
        tokio::time::sleep_until(due.into()).await;
    }
    // A slow application may be behind, but it must not stop.
    let mut before = 0;
    let mut progress = Instant::now();
    while before < number {
        let now = acknowledged.load(Ordering::Acquire);
        if now > before {
            (before, progress) = (now, Instant::now());
        }
        assert!(progress.elapsed() < PATIENCE, "{before} of {number} events are acknowledged");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    reading.abort();
    number
}

async fn count_answers(mut answers: BufReader<OwnedReadHalf>, acknowledged: Arc<AtomicU64>) {
    let mut line = String::new();
    loop {
        let mut length = 0;
        line.clear();
        answers.read_line(&mut line).await.expect("a status");
        assert!(line.starts_with("HTTP/1.1 200"), "publishing was answered {line:?}");
        while line.trim() != "" {
            line.clear();
            answers.read_line(&mut line).await.expect("a header");
            if let Some(value) = line.trim().to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        answers.read_exact(&mut answer).await.expect("an answer");
        acknowledged.fetch_add(1, Ordering::Release);
    }
}

async fn read_until_over(
    seed: u64,
    address: SocketAddr,
    counts: Arc<Counts>,
    over: Arc<AtomicBool>,
    last: Arc<AtomicU64>,
) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cursor = String::new();
    let mut seen = 0;
    loop {
        let finishing = over.load(Ordering::Acquire);
        let goal = if finishing { last.load(Ordering::Acquire) } else { u64::MAX };
        let stays = if finishing { PATIENCE } else { Duration::from_millis(random.u64(200..6_000)) };
        let read = read_events(address, &counts, &mut cursor, &mut seen, goal);
        let _ = timeout(stays, read).await;
        if finishing {
            counts.lost.fetch_add(goal.saturating_sub(seen), Ordering::Relaxed);
            return;
        }
    }
}

/// Reads one connection until it ends, or until `goal` was seen; dropping it cuts the connection.
async fn read_events(address: SocketAddr, counts: &Counts, cursor: &mut String, seen: &mut u64, goal: u64) {
    let Ok(mut stream) = open(address, "/events?topic=storm&start=earliest", cursor).await else {
        counts.refused.fetch_add(1, Ordering::Relaxed);
        return tokio::time::sleep(Duration::from_millis(100)).await;
    };
    counts.connections.fetch_add(1, Ordering::Relaxed);
    let mut decoder = Decoder::new();
    while *seen < goal {
        let Some(bytes) = stream.next().await else { return };
        for message in decoder.messages(&mut &*bytes) {
            let message = message.expect("decodable");
            if message.event_type() == "sse.gap" {
                counts.gaps.fetch_add(1, Ordering::Relaxed);
            } else if !message.event_type().starts_with("sse.") {
                let number: u64 = message.data().parse().expect("a number");
                counts.events.fetch_add(1, Ordering::Relaxed);
                if number <= *seen {
                    counts.twice.fetch_add(1, Ordering::Relaxed);
                } else {
                    counts.lost.fetch_add(number - *seen - 1, Ordering::Relaxed);
                    *seen = number;
                }
            }
            message.last_event_id().clone_into(cursor);
        }
    }
}

/// Sends SIGTERM while all readers are idle; returns how many streams ended cleanly, the duration, and the exit code.
async fn shutdown(options: &Options, application: &mut Application) -> (u64, Duration, Option<i32>) {
    let address = application.address();
    let mut streams = Vec::new();
    for _ in 0..options.readers {
        let mut stream = open(address, "/events?topic=idle", "").await.expect("connected");
        stream.next().await.expect("the first bytes");
        streams.push(stream);
    }
    let readers: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                while timeout(PATIENCE, stream.next()).await.is_ok_and(|bytes| bytes.is_some()) {}
                stream.is_clean_end()
            })
        })
        .collect();
    let (took, exit) = application.terminate().await;
    let mut clean = 0;
    for reader in readers {
        clean += u64::from(reader.await.expect("a reader"));
    }
    (clean, took, exit)
}
