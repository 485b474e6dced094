//! The checker's short form on each engine; `sse-checker` is the long one.
//!
//! A failure prints the command that runs the same plan of faults again.

use std::time::Duration;

use sse_checker::{EngineKind, Options, run};

/// Runs a seed whose faults lose nothing, and some whose faults do.
async fn check(engine: EngineKind, seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let programs = vec![env!("CARGO_BIN_EXE_sse-node").into()];
        // PostgreSQL needs a second or two to recover from each kill.
        let length = Duration::from_secs(if engine == EngineKind::Postgres { 12 } else { 6 });
        let (failing_over, by_sentinel) = (0, false);
        let report = run(Options {
            engine,
            programs,
            seed,
            length,
            publishers: 3,
            readers: 8,
            failing_over,
            by_sentinel,
        })
        .await;
        println!("{report}");
        report.expect_nothing_broken();
        let counts = report.counts();
        assert!(report.faults().count() > 0 && counts.acked > 20 && counts.told > counts.acked, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_g4_g6_g7_nothing_is_broken_over_a_file() {
    check(EngineKind::File, [1, 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_g4_g6_g7_nothing_is_broken_over_redis() {
    check(EngineKind::Redis, [1, 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_g4_g6_g7_nothing_is_broken_over_nats() {
    check(EngineKind::Nats, [1, 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_g4_g6_g7_nothing_is_broken_over_postgres() {
    check(EngineKind::Postgres, [1, 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_nothing_is_broken_by_failing_over_and_back() {
    let options = Options {
        engine: EngineKind::Redis,
        programs: vec![env!("CARGO_BIN_EXE_sse-node").into()],
        seed: 2,
        length: Duration::ZERO,
        publishers: 3,
        readers: 8,
        failing_over: 4,
        by_sentinel: false,
    };
    let report = run(options).await;
    println!("{report}");
    report.expect_nothing_broken();
    assert!(report.counts().lost > 0 && report.counts().gaps > 0, "{report}");
}
