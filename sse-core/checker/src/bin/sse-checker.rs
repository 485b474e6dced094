//! A checker that injects faults: see `sse_checker`.
//!
//! `sse-checker file|redis|nats|postgres [--seed 1] [--runs 1] [--seconds 10] [--publishers 3] [--readers 8] [--fail-over 50 [--sentinel yes]] [--node PROGRAM]...`
//! prints one line per run, with more lines if a promise was broken, and then exits with 1. The next run has the next
//! seed; runs with an odd seed lose nothing. With `--fail-over`, Redis or PostgreSQL fails over that many times and back, in
//! place of the seed's faults. Nodes are `sse-node` beside this program, or the named programs: example
//! applications work too, but not over a file, which they do not trim.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use sse_checker::{EngineKind, Options, run};

fn options() -> Option<(Options, u64)> {
    let mut arguments = std::env::args().skip(1);
    let engine = match &*arguments.next()? {
        "file" => EngineKind::File,
        "redis" => EngineKind::Redis,
        "nats" => EngineKind::Nats,
        "postgres" => EngineKind::Postgres,
        _ => return None,
    };
    let length = Duration::from_secs(10);
    let mut options = Options {
        engine,
        programs: Vec::new(),
        seed: 1,
        length,
        publishers: 3,
        readers: 8,
        failing_over: 0,
        by_sentinel: false,
    };
    let mut runs = 1;
    while let Some(flag) = arguments.next() {
        let value = arguments.next()?;
        match &*flag {
            "--seed" => options.seed = value.parse().ok()?,
            "--runs" => runs = value.parse().ok()?,
            "--seconds" => options.length = Duration::try_from_secs_f64(value.parse().ok()?).ok()?,
            "--publishers" => options.publishers = value.parse().ok()?,
            "--readers" => options.readers = value.parse().ok()?,
            "--fail-over" => options.failing_over = value.parse().ok()?,
            "--sentinel" => options.by_sentinel = value == "yes",
            "--node" => options.programs.push(PathBuf::from(value)),
            _ => return None,
        }
    }
    if options.programs.is_empty() {
        options.programs.push(std::env::current_exe().ok()?.with_file_name("sse-node"));
    }
    Some((options, runs))
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some((options, runs)) = options() else {
        eprintln!(
            "usage: sse-checker file|redis|nats|postgres [--seed N] [--runs N] [--seconds S] [--publishers N] [--readers N] \
             [--fail-over TIMES [--sentinel yes]] [--node PROGRAM]..."
        );
        return ExitCode::from(2);
    };
    let mut is_good = true;
    for seed in options.seed..options.seed + runs {
        let report = run(Options { seed, ..options.clone() }).await;
        println!("{report}");
        is_good &= report.violations().is_empty();
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
