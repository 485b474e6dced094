//! The cost of one query for the engine: 100 patterns with wildcards, none of which matches, over 9,900 topics.

use std::time::{Duration, Instant};

use sse_checker::engines::{FileEngine, PostgresEngine, RedisEngine};
use sse_core::{Pattern, history::History};
use sse_testkit::history_cases::{Engine, entry};

const TOPICS: usize = 9_900;
const PATTERNS: usize = 100;

pub(crate) async fn run() {
    println!(
        "what is kept of {PATTERNS} patterns with wildcards, over {TOPICS} topics of which none matches"
    );
    let engine = FileEngine::start().await;
    let history = engine.open(None).await;
    ask("FileHistory", &history, || Duration::ZERO).await;
    let engine = RedisEngine::start().await;
    let history = engine.open(None).await;
    ask("RedisHistory", &history, || longest(&engine)).await;
    let engine = PostgresEngine::start().await;
    let history = engine.open(None).await;
    ask("PostgresHistory", &history, || Duration::ZERO).await;
}

async fn ask(name: &str, history: &impl History, longest: impl Fn() -> Duration) {
    for first in (0..TOPICS).step_by(100) {
        let entries = (first..first + 100).map(|number| entry(&format!("user.{number}.a"), number));
        history.append(entries.collect()).await.unwrap();
    }
    let patterns: Vec<Pattern> =
        (0..PATTERNS).map(|number| Pattern::new(format!("*.{number}.b.>")).unwrap()).collect();
    longest();
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        history.bounds(&patterns).await.unwrap();
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let held = longest();
    let held = if held.is_zero() {
        String::new()
    } else {
        format!("   the server is held for {:>6.2} ms", ms(held))
    };
    println!("{name:<45}p50 {:>8.2} ms   longest {:>8.2} ms{held}", ms(took[10]), ms(took[19]));
}

/// The duration of the slowest command since the last call, from the server's own log of slow commands.
fn longest(engine: &RedisEngine) -> Duration {
    let log = engine.server.ask(&["SLOWLOG", "GET", "128"]);
    engine.server.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    engine.server.ask(&["CONFIG", "SET", "slowlog-max-len", "4096"]);
    engine.server.ask(&["SLOWLOG", "RESET"]);
    // Each entry is a number, a time and the duration in microseconds, then the command's words.
    let lines: Vec<&str> = log.lines().collect();
    let is_time = |line: &str| line.len() == 10 && line.bytes().all(|byte| byte.is_ascii_digit());
    let took = lines.windows(2).filter(|pair| is_time(pair[0])).filter_map(|pair| pair[1].parse().ok());
    Duration::from_micros(took.max().unwrap_or(0))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
