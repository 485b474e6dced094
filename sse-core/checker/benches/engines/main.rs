//! Benchmarks of the history engines, beside their own clients with the same work:
//! `cargo bench -p sse-checker --bench engines -- [append] [replay] [latency] [memory] [outbox] [span]`.

mod append;
mod latency;
mod memory;
mod outbox;
mod peers;
mod replay;
mod span;

/// Number of replayed events.
const EVENTS: u64 = 100_000;

/// Size of an event's data, in bytes.
const BYTES: usize = 100;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` runs this too, and needs no figures.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let wanted: Vec<&str> = args.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(&name);
    if is_wanted("append") {
        append::run().await;
    }
    if is_wanted("replay") {
        replay::run().await;
    }
    if is_wanted("latency") {
        latency::run().await;
    }
    if is_wanted("memory") {
        memory::run().await;
    }
    if is_wanted("outbox") {
        outbox::run().await;
    }
    if is_wanted("span") {
        span::run().await;
    }
}

/// The data of one event.
fn text() -> String {
    "x".repeat(BYTES)
}
