//! Memory of a process that replays a million events.

use sse_checker::engines::{NatsEngine, RedisEngine, RedisServer};
use sse_core::{
    Hub, Retention,
    history::{FileHistory, History},
};
use sse_testkit::history_cases::{Engine, entry};

use super::{replay, text};

const MILLION: u64 = 1_000_000;

pub(crate) async fn run() {
    println!("replay of {MILLION} events: resident memory before, and at most while it runs");
    let folder = tempfile::TempDir::new().unwrap();
    let history = FileHistory::open(folder.path().join("events.redb")).unwrap();
    measure("FileHistory", history).await;
    let engine = RedisEngine::start().await;
    measure("RedisHistory", engine.open(None).await).await;
    let _: &RedisServer = &engine.server;
    drop(engine);
    let engine = NatsEngine::start().await;
    measure("NatsHistory", engine.open(None).await).await;
}

async fn measure(name: &str, history: impl History + Clone) {
    for _ in 0..MILLION / 1_000 {
        history.append((0..1_000).map(|_| entry("a", text())).collect()).await.unwrap();
    }
    let hub = Hub::builder().retention(Retention::default().events(1)).open(history).await.unwrap();
    let before = resident();
    let watch = tokio::spawn(async {
        let mut most = 0;
        loop {
            most = resident().max(most);
            MOST.fetch_max(most, std::sync::atomic::Ordering::Relaxed);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    MOST.store(0, std::sync::atomic::Ordering::Relaxed);
    let took = replay::read_all(&hub, MILLION).await;
    watch.abort();
    let most = MOST.load(std::sync::atomic::Ordering::Relaxed);
    println!("{name:<45}{before:>8} KiB {most:>8} KiB   in {:.1} s", took.as_secs_f64());
}

static MOST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
