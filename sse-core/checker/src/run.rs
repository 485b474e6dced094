use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use fastrand::Rng;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    Counts, Digest, EngineKind, Fault, Plan, Recorded, Verdict, Violation,
    client::{self, Listener, Phase, TOPICS},
    cluster::Cluster,
    judge,
};

/// The parameters of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The engine.
    pub engine: EngineKind,
    /// The programs of the nodes, in turn: `sse-node`, or example applications.
    pub programs: Vec<PathBuf>,
    /// The seed of all random choices.
    pub seed: u64,
    /// The time during which faults begin.
    pub length: Duration,
    /// Number of publishers.
    pub publishers: usize,
    /// Number of readers.
    pub readers: usize,
    /// Number of fail-overs (and back) in place of the seed's faults; with 0, the seed's faults are used.
    pub failing_over: usize,
    /// Whether Sentinel fails over.
    pub by_sentinel: bool,
}

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    options: Options,
    plan: Plan,
    verdict: Verdict,
    connections: usize,
    epochs: usize,
}

/// Runs publishers, readers and the fault injector, and judges what they recorded.
///
/// # Panics
/// If the engine or a node cannot be started.
pub async fn run(options: Options) -> Report {
    let plan = match options.failing_over {
        0 => Plan::new(options.engine, options.seed, options.length),
        times => Plan::failing_over(times, options.by_sentinel, options.seed),
    };
    let cluster = Arc::new(Cluster::start(options.engine, &options.programs).await);
    let mut random = Rng::with_seed(options.seed);
    let first = client::publish_one("first", &TOPICS, &cluster.nodes, &mut random.fork()).await;
    // The last one's content comes from a separate seed, so that readers know it beforehand.
    let mut last_random = random.fork();
    let last = Digest::of(&client::data("last", &mut last_random.clone()));
    let marks = [first.digest, last];
    let listeners: Vec<Listener> = (0..options.readers)
        .map(|number| Listener::new(number, cluster.nodes.clone(), random.fork(), marks))
        .collect();
    let listeners = listeners.into_iter().map(|listener| tokio::spawn(listener.begin()));
    let listeners = futures_util::future::join_all(listeners).await;
    let phase = watch::Sender::new(Phase::Storm);
    let mut readers = JoinSet::new();
    for listener in listeners {
        readers.spawn(listener.expect("a reader").read(phase.subscribe()));
    }
    let mut publishers = JoinSet::new();
    for number in 0..options.publishers {
        let nodes = cluster.nodes.clone();
        publishers.spawn(client::publish(number, nodes, random.fork(), phase.subscribe()));
    }
    sabotage(&cluster, &plan).await;
    phase.send_replace(Phase::Calm);
    let mut published: Vec<_> = publishers.join_all().await.into_iter().flatten().collect();
    published.push(client::publish_one("last", &TOPICS, &cluster.nodes, &mut last_random).await);
    published.push(first);
    phase.send_replace(Phase::Over);
    let listeners = readers.join_all().await;
    let connections = listeners.iter().map(|listener| listener.connections).sum();
    let readers = listeners.into_iter().map(|listener| listener.reader).collect();
    let kept = cluster.kept().await;
    let epochs = kept.epochs.len();
    let verdict = judge(&Recorded { published, readers, kept, may_lose: plan.may_lose() });
    Report { options, plan, verdict, connections, epochs }
}

/// Executes the plan; faults of nodes and of cables do not wait for faults of the engine.
async fn sabotage(cluster: &Arc<Cluster>, plan: &Plan) {
    let began = Instant::now();
    let mut struck = JoinSet::new();
    for (at, fault) in &plan.faults {
        sleep_until(began + *at).await;
        let (cluster, fault) = (Arc::clone(cluster), *fault);
        struck.spawn(async move { cluster.strike(fault).await });
    }
    struck.join_all().await;
}

impl Report {
    /// The broken promises; empty means that the run passed.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.verdict.violations
    }

    /// The counts of judged events, losses and gaps.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.verdict.counts
    }

    /// The faults that happened.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        self.plan.faults.iter().map(|(_, fault)| *fault)
    }

    /// Fails the test and prints how to repeat the run, if a promise was broken.
    ///
    /// # Panics
    /// If a promise was broken.
    pub fn expect_nothing_broken(&self) {
        assert!(self.violations().is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { engine, seed, length, .. } = &self.options;
        let Counts { published, acked, lost, told, gaps, needless } = self.verdict.counts;
        let violations = self.violations();
        write!(
            f,
            "{engine} seed {seed}: {published} events published, {acked} acknowledged, {told} told to {} readers over {} \
             connections; {} faults, {} epochs, {gaps} gaps ({needless} of them needless), {lost} lost by faults that lose; {} \
             violations",
            self.options.readers,
            self.connections,
            self.plan.faults.len(),
            self.epochs,
            violations.len(),
        )?;
        if violations.is_empty() {
            return Ok(());
        }
        write!(
            f,
            "\nagain: sse-checker {engine} --seed {seed} --seconds {}\n{}",
            length.as_secs_f64(),
            self.plan
        )?;
        violations.iter().take(20).try_for_each(|violation| writeln!(f, "  {violation}"))
    }
}
