use std::{fmt, time::Duration};

use fastrand::Rng;

/// An engine under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// A file, which only one process at a time can open.
    File,
    /// Redis, a primary with a replica.
    Redis,
    /// NATS JetStream, one server.
    Nats,
    /// PostgreSQL, a primary with a replica.
    Postgres,
}

/// A fault that the fault injector causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant says what its fields are")]
pub enum Fault {
    /// `kill -9` of a node, which is restarted after a while.
    KillNode { node: usize, away: Duration },
    /// `kill -9` of the engine, which is restarted after a while.
    KillEngine { away: Duration },
    /// `kill -9` of one of the engine's processes, after which it ends the others and recovers.
    KillBackend,
    /// Trims all but about `keep` of the newest events.
    Trim { keep: u64 },
    /// Deletes only the stream; the next event creates it again.
    DeleteStream,
    /// Deletes the newest events by hand.
    DeleteEnd { count: u64 },
    /// Deletes everything.
    DeleteAll,
    /// The replica is cut off, and promoted while it lags; the former primary comes back as its replica.
    Promote { lag: Duration },
    /// The nodes lose the primary and switch to the replica, which is promoted. After a while the replica dies, and
    /// they return to the former primary, which has none of the replica's events.
    FailBack { lag: Duration },
    /// The primary is suspended until Sentinel has promoted the replica, and then runs until Sentinel demotes it.
    Sentinel { lag: Duration },
    /// The engine is killed, and loses what it received during the last `lag`.
    Rollback { lag: Duration },
    /// The connections between a node and the engine are cut, and new ones too for a while.
    Cut { node: usize, length: Duration },
    /// Data between a node and the engine arrive later, for a while.
    Delay { node: usize, by: Duration, length: Duration },
    /// Data between a node and the engine are held back, and then arrive all at once.
    Hold { node: usize, length: Duration },
}

/// Which faults happen when: the same for the same engine, seed and length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The start of each fault, counted from the beginning; faults of the engine wait until the previous one is over.
    pub faults: Vec<(Duration, Fault)>,
}

impl Plan {
    /// The plan of a seed. The plan of an odd seed loses nothing.
    #[must_use]
    pub fn new(engine: EngineKind, seed: u64, length: Duration) -> Self {
        let mut random = Rng::with_seed(seed);
        let may_lose = seed.is_multiple_of(2);
        let mut faults = Vec::new();
        let mut bag = Vec::new();
        let mut at = Duration::from_millis(random.u64(300..900));
        while at < length {
            if bag.is_empty() {
                bag = kinds(engine, may_lose);
                random.shuffle(&mut bag);
            }
            let Some(kind) = bag.pop() else { break };
            faults.push((at, kind(&mut random, engine.nodes())));
            at += Duration::from_millis(random.u64(200..1_400));
        }
        Self { faults }
    }

    /// A plan that fails over `times` times, one after the other, and back.
    #[must_use]
    pub fn failing_over(times: usize, by_sentinel: bool, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let faults = (0..times).map(|_| {
            let lag = millis(&mut random, 200..1_500);
            let fault = if by_sentinel { Fault::Sentinel { lag } } else { Fault::FailBack { lag } };
            (Duration::from_millis(300), fault)
        });
        Self { faults: faults.collect() }
    }

    /// Whether an acknowledged event may be lost.
    #[must_use]
    pub fn may_lose(&self) -> bool {
        self.faults.iter().any(|(_, fault)| {
            matches!(
                fault,
                Fault::DeleteAll
                    | Fault::DeleteEnd { .. }
                    | Fault::Promote { .. }
                    | Fault::FailBack { .. }
                    | Fault::Sentinel { .. }
                    | Fault::Rollback { .. }
            )
        })
    }
}

type Kind = fn(&mut Rng, usize) -> Fault;

fn kinds(engine: EngineKind, may_lose: bool) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = vec![
        |random, nodes| Fault::KillNode { node: random.usize(..nodes), away: millis(random, 0..800) },
        |random, _| Fault::Trim { keep: random.u64(10..80) },
    ];
    if engine != EngineKind::File {
        let more: [Kind; 4] = [
            |random, _| Fault::KillEngine { away: millis(random, 0..1_200) },
            |random, nodes| Fault::Cut { node: random.usize(..nodes), length: millis(random, 50..1_500) },
            |random, nodes| Fault::Delay {
                node: random.usize(..nodes),
                by: millis(random, 5..150),
                length: millis(random, 300..1_500),
            },
            |random, nodes| Fault::Hold { node: random.usize(..nodes), length: millis(random, 200..3_000) },
        ];
        kinds.extend(more);
    }
    if engine == EngineKind::Redis {
        kinds.push(|_, _| Fault::DeleteStream);
    }
    if engine == EngineKind::Postgres {
        kinds.push(|_, _| Fault::KillBackend);
    }
    if may_lose {
        kinds.push(|_, _| Fault::DeleteAll);
        kinds.push(|random, _| Fault::Rollback { lag: millis(random, 100..1_200) });
        if engine == EngineKind::Postgres {
            kinds.push(|random, _| Fault::DeleteEnd { count: random.u64(1..8) });
        }
        if matches!(engine, EngineKind::Redis | EngineKind::Postgres) {
            kinds.push(|random, _| Fault::Promote { lag: millis(random, 50..800) });
            kinds.push(|random, _| Fault::FailBack { lag: millis(random, 200..1_500) });
        }
    }
    kinds
}

fn millis(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

impl EngineKind {
    /// Number of nodes at the same time.
    #[must_use]
    pub fn nodes(self) -> usize {
        if self == Self::File { 1 } else { 2 }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Redis => "redis",
            Self::Nats => "nats",
            Self::Postgres => "postgres",
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in &self.faults {
            writeln!(f, "  {:>5} ms  {fault:?}", at.as_millis())?;
        }
        Ok(())
    }
}
