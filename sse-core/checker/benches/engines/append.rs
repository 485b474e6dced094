//! Appends per second, by the number of publishers that wait for an answer at the same time.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sse_checker::engines::{FileEngine, NatsEngine, PostgresEngine, RedisEngine};
use sse_core::history::History;
use sse_testkit::history_cases::{Engine, entry};

use super::{peers, text};

const PUBLISHERS: [usize; 4] = [1, 16, 64, 256];

const LASTS: Duration = Duration::from_secs(3);

pub(crate) async fn run() {
    println!(
        "appends a second, {} bytes each            1 publisher        16        64       256",
        super::BYTES
    );
    engine::<FileEngine>("FileHistory").await;
    row("  redb alone, a commit each", peers::redb_commits).await;
    engine::<RedisEngine>("RedisHistory (appendfsync always)").await;
    row("  redis alone, an XADD each", peers::redis_xadd).await;
    engine::<NatsEngine>("NatsHistory").await;
    engine::<PostgresEngine>("PostgresHistory").await;
    row("  async-nats alone, a request each", peers::nats_publish).await;
}

async fn engine<E: Engine>(name: &str) {
    row(name, async |publishers| {
        let engine = E::start().await;
        let history = engine.open(None).await;
        rate(publishers, move || {
            let history = history.clone();
            async move { drop(history.append(vec![entry("a", text())]).await.unwrap()) }
        })
        .await
    })
    .await;
}

async fn row(name: &str, rate: impl AsyncFn(usize) -> f64) {
    print!("{name:<45}");
    for publishers in PUBLISHERS {
        print!("{:>10.0}", rate(publishers).await);
    }
    println!();
}

/// How often per second `publishers` tasks can do the work, each one after the other.
pub(crate) async fn rate<F>(publishers: usize, work: impl Fn() -> F + Clone + Send + Sync + 'static) -> f64
where
    F: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..publishers {
        let (work, done) = (work.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            while began.elapsed() < LASTS {
                work().await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks.join_all().await;
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}
