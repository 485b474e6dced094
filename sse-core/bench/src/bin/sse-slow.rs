//! Stalled readers beside a healthy one: what they cost it, how much memory they use, and when they are dropped.
//!
//! `sse-slow APPLICATION [--readers 1000] [--seconds 20] [--rate 100]` starts the application on a free port and
//! measures the latency of events at the healthy reader without and with the stalled readers. Then it waits until
//! the hub has dropped them and the kernel has closed their connections. It exits with 1 if an event was missed, or
//! if a stalled reader is still connected at the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use sse_bench::load::{self, Application, Asking, PATIENCE, numbers};
use sse_core::decode::Decoder;
use sse_testkit::Chunks;
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};

/// Size and number of the events that fill the buffers of the stalled readers; they are sent to all readers.
const BULK_BYTES: usize = 64 << 10;
const BULK_EVENTS: usize = 200;

/// The streams' keep-alive. It also sets when the kernel gives up: after 1.4 times this, and so after the hub's
/// deadline. With the usual 15 s the kernel gives up first.
const KEEP_ALIVE: &str = "60";

/// How long the hub lets a reader leave data unread; its default.
const STALLED_AFTER: Duration = Duration::from_secs(30);

struct Options {
    application: String,
    readers: usize,
    seconds: f64,
    rate: f64,
}

fn options() -> Option<Options> {
    let known = [("--readers", 1_000.0), ("--seconds", 20.0), ("--rate", 100.0)];
    let (application, [readers, seconds, rate]) = numbers(std::env::args().skip(1), known)?;
    Some(Options { application, readers: readers as usize, seconds, rate })
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: sse-slow APPLICATION [--readers N] [--seconds S] [--rate EVENTS_A_SECOND]");
        return ExitCode::from(2);
    };
    let flags = ["--retain", "200", "--keep-alive", KEEP_ALIVE];
    let application = Application::start(&options.application, &flags).await;
    let address = application.address();
    let files = application.open_files();
    let mut asking = Asking::connect(address).await;
    let text = "x".repeat(BULK_BYTES);
    // The window reaches its full size first, so that it is not counted as the readers' memory.
    for _ in 0..200 {
        asking.publish("bulk", &text).await;
    }
    let mut healthy = Healthy::start(address).await;
    let without = healthy.measure(&mut asking, &options).await;
    let before = application.resident();
    let mut stalled = Vec::new();
    for _ in 0..options.readers {
        let mut stream = Chunks::narrow(address, "/events?topic=bulk", 16 << 10).await.expect("connected");
        stream.next().await.expect("the first bytes");
        stalled.push(stream);
    }
    let idle = application.resident();
    for _ in 0..BULK_EVENTS {
        asking.publish("bulk", &text).await;
        sleep(Duration::from_millis(20)).await;
    }
    let stalled_at = Instant::now();
    let with = healthy.measure(&mut asking, &options).await;
    let full = application.resident();
    let dropped_after = until(&application, stalled_at, |dropped, _| dropped >= options.readers as u64).await;
    // The healthy reader, its publisher, the connection that asks, and one that has just asked.
    let closed_after = until(&application, stalled_at, |_, open| open <= files + 4).await;
    let with_none = healthy.measure(&mut asking, &options).await;
    let each = |bytes: u64| bytes.saturating_sub(before) as f64 / options.readers as f64 / 1024.0;
    println!(
        "an event to the healthy reader: {without} without others, {with} beside {} stalled ones, {with_none} after them; \
         a stalled reader costs {:.1} KiB before and {:.1} KiB with full buffers, resident in the process; the hub had dropped \
         all {} after they stalled, the kernel had closed all {}",
        options.readers,
        each(idle),
        each(full),
        after(dropped_after),
        after(closed_after),
    );
    drop(stalled);
    let is_fine = dropped_after.is_some_and(|after| after < STALLED_AFTER + Duration::from_secs(20))
        && closed_after.is_some()
        && healthy.missed == 0;
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn after(time: Option<Duration>) -> String {
    time.map_or_else(|| "not even after minutes".to_owned(), |time| format!("{time:.1?}"))
}

/// Waits for the count of dropped readers and of open files; returns how long that took.
async fn until(
    application: &Application,
    since: Instant,
    is_reached: impl Fn(u64, usize) -> bool,
) -> Option<Duration> {
    while since.elapsed() < Duration::from_secs(240) {
        let dropped = application.stats().await["slow_readers_dropped"].as_u64().expect("a number");
        if is_reached(dropped, application.open_files()) {
            return Some(since.elapsed());
        }
        sleep(Duration::from_millis(200)).await;
    }
    None
}

/// The healthy reader; events arrive here with their arrival times.
struct Healthy {
    arrivals: mpsc::UnboundedReceiver<(u64, Instant)>,
    next: u64,
    missed: u64,
}

/// Latencies of events, in milliseconds.
struct Latency {
    median: f64,
    p99: f64,
    most: f64,
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "median {:.2} ms, p99 {:.2} ms, most {:.2} ms", self.median, self.p99, self.most)
    }
}

impl Healthy {
    async fn start(address: SocketAddr) -> Self {
        let mut stream = load::open(address, "/events?topic=quick", "").await.expect("connected");
        stream.next().await.expect("the first bytes");
        let (arrived, arrivals) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut decoder = Decoder::new();
            while let Some(bytes) = stream.next().await {
                let at = Instant::now();
                for message in decoder.messages(&mut &*bytes) {
                    let message = message.expect("decodable");
                    if let Ok(number) = message.data().parse() {
                        let _ = arrived.send((number, at));
                    }
                }
            }
        });
        Self { arrivals, next: 0, missed: 0 }
    }

    /// Publishes at the rate for a while, and measures from just before the publish request until the event has
    /// been read.
    async fn measure(&mut self, asking: &mut Asking, options: &Options) -> Latency {
        let began_at = Instant::now();
        let mut millis = Vec::new();
        while began_at.elapsed().as_secs_f64() < options.seconds {
            let published_at = Instant::now();
            asking.publish("quick", &self.next.to_string()).await;
            match timeout(PATIENCE, self.arrivals.recv()).await {
                Ok(Some((number, at))) if number == self.next => {
                    millis.push((at - published_at).as_secs_f64() * 1e3);
                }
                _ => self.missed += 1,
            }
            self.next += 1;
            sleep_until((began_at + Duration::from_secs_f64(millis.len() as f64 / options.rate)).into())
                .await;
        }
        millis.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = (millis.len().saturating_sub(1)) as f64 * part;
            millis.get(place as usize).copied().unwrap_or(f64::NAN)
        };
        Latency { median: at(0.5), p99: at(0.99), most: at(1.0) }
    }
}
